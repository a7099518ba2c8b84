"""What stands in the middle before a run is chosen: three ways to begin."""

from __future__ import annotations

from pathlib import Path

from PySide6 import QtCore, QtGui, QtWidgets

OF_DATA = "A table (CSV, Parquet), arrays (NPZ, NPY, IDX) or a folder of pictures: drop it here"


class Card(QtWidgets.QPushButton):
    """One way to begin: a large button with a heading and a line of explanation."""

    def __init__(self, title: str, text: str, sign: str) -> None:
        super().__init__()
        self.setObjectName("card")
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)
        self.setMinimumSize(160, 150)
        self.setMaximumSize(280, 210)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Expanding)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(14, 18, 14, 10)
        for content, size, bold in ((sign, 24, False), (title, 13, True), (text, 10, False)):
            label = QtWidgets.QLabel(content, wordWrap=True)
            label.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
            font = label.font()
            font.setPointSize(size)
            font.setBold(bold)
            label.setFont(font)
            label.setAttribute(QtCore.Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            layout.addWidget(label)
        layout.addStretch(1)


class StartCards(QtWidgets.QWidget):
    """Train it now, open data, open a run; files and folders may be dropped on it."""

    wants_training = QtCore.Signal()
    wants_data = QtCore.Signal()
    wants_run = QtCore.Signal()
    dropped = QtCore.Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setAcceptDrops(True)
        self.train = Card("Train it now", "The experiment on the right, in a process of its own", "▶")
        self.data = Card(
            "Open data",
            OF_DATA,
            "▤",
        )
        self.run = Card("Open a run", "A run folder: running, finished or crashed", "≈")
        self.train.clicked.connect(self.wants_training)
        self.data.clicked.connect(self.wants_data)
        self.run.clicked.connect(self.wants_run)
        self.train.setDefault(True)
        title = QtWidgets.QLabel("Press one button and watch a network learn")
        font = title.font()
        font.setPointSize(16)
        title.setFont(font)
        title.setWordWrap(True)
        title.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        self.about = QtWidgets.QLabel(wordWrap=True)
        self.about.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(18)
        row.addStretch(1)
        for card in (self.train, self.data, self.run):
            row.addWidget(card, 4)
        row.addStretch(1)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addStretch(2)
        layout.addWidget(title)
        layout.addWidget(self.about)
        layout.addSpacing(18)
        layout.addLayout(row)
        layout.addStretch(3)

    def dragEnterEvent(self, event: QtGui.QDragEnterEvent) -> None:  # noqa: N802
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QtGui.QDropEvent) -> None:  # noqa: N802
        paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        if paths:
            self.dropped.emit(paths)
