"""Line plots and heat maps on pyqtgraph, which draw what `ravine.gui.state` has prepared."""
