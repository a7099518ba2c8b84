"""Types of the compiled loops over classes."""

import numpy as np
from numpy.typing import NDArray

def mixed_classes(counts: NDArray[np.int64], draws: NDArray[np.uint64]) -> NDArray[np.int32]: ...
