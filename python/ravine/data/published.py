"""The data sets that `ravine data get` brings, with the addresses and checksums of their files.

The checksums are those of files whose bytes were compared with what the publishers give: their MD5 sums (UCI
Adult), or the Git objects of their repositories.
"""

from __future__ import annotations

from ravine.data.download import RemoteDataset, RemoteFile

_MNIST = (
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "https://storage.googleapis.com/cvdf-datasets/mnist",
    "https://raw.githubusercontent.com/fgnt/mnist/ae608a02b796c9ee908c082585a5f006fe05258e",
)
_FASHION = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
    "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
)
_HANDSON = "https://raw.githubusercontent.com/ageron/handson-ml2"
_ADULT = ("https://archive.ics.uci.edu/ml/machine-learning-databases/adult",)
_WINE = ("https://raw.githubusercontent.com/jbrownlee/Datasets/d20fcb6402ae34e653d4513b00f39257bb37ed7f",)

_IDX_SECTION = """\
[data]
source = "idx"
train_images = "{folder}/train-images-idx3-ubyte.gz"
train_labels = "{folder}/train-labels-idx1-ubyte.gz"
test_images = "{folder}/t10k-images-idx3-ubyte.gz"
test_labels = "{folder}/t10k-labels-idx1-ubyte.gz"
preprocessing = "scale"
"""
_HOUSING_SECTION = """\
[data]
source = "table"
file = "{folder}/housing.tgz"
task = "regression"

[data.table]
target = "median_house_value"
missing = "median"

[data.split]
test_fraction = 0.2
validation_fraction = 0.1
"""
_ADULT_SECTION = """\
[data]
source = "table"
file = "{folder}/adult.data"
test_file = "{folder}/adult.test"

[data.table]
names = [
  "age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship",
  "race", "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country", "income",
]
target = "income"
missing = "most_frequent"
comment = "|"
label_suffix = "."

[data.split]
validation_fraction = 0.1
"""
_WINE_SECTION = """\
[data]
source = "table"
file = "{folder}/winequality-white.csv"
task = "regression"

[data.table]
header = false
target = -1

[data.split]
test_fraction = 0.2
validation_fraction = 0.1
"""


def _file(name: str, size: int, sha256: str, places: tuple[str, ...]) -> RemoteFile:
    return RemoteFile(name, size, sha256, tuple(f"{place}/{name}" for place in places))


DATASETS: dict[str, RemoteDataset] = {
    dataset.name: dataset
    for dataset in (
        RemoteDataset(
            "mnist",
            "70,000 handwritten digits, grey, 28 x 28",
            (
                _file(
                    "train-images-idx3-ubyte.gz",
                    9_912_422,
                    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                    _MNIST,
                ),
                _file(
                    "train-labels-idx1-ubyte.gz",
                    28_881,
                    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                    _MNIST,
                ),
                _file(
                    "t10k-images-idx3-ubyte.gz",
                    1_648_877,
                    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                    _MNIST,
                ),
                _file(
                    "t10k-labels-idx1-ubyte.gz",
                    4_542,
                    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                    _MNIST,
                ),
            ),
            _IDX_SECTION,
            "LeCun, Cortes and Burges; commonly given as CC BY-SA 3.0",
        ),
        RemoteDataset(
            "fashion-mnist",
            "70,000 pictures of clothes, grey, 28 x 28",
            (
                _file(
                    "train-images-idx3-ubyte.gz",
                    26_421_880,
                    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                    _FASHION,
                ),
                _file(
                    "train-labels-idx1-ubyte.gz",
                    29_515,
                    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                    _FASHION,
                ),
                _file(
                    "t10k-images-idx3-ubyte.gz",
                    4_422_102,
                    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                    _FASHION,
                ),
                _file(
                    "t10k-labels-idx1-ubyte.gz",
                    5_148,
                    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                    _FASHION,
                ),
            ),
            _IDX_SECTION,
            "MIT, Zalando SE",
        ),
        RemoteDataset(
            "california-housing",
            "20,640 districts of the census of 1990, with the median value of their houses",
            (
                RemoteFile(
                    "housing.tgz",
                    409_488,
                    "d4cd501af90475f09b814c7447c7701f59bf28e8cf1180205ae5ace9737a0109",
                    (
                        f"{_HANDSON}/1e2115277b50f6c584cd668fa30e3af309a5b136/datasets/housing/housing.tgz",
                        f"{_HANDSON}/master/datasets/housing/housing.tgz",
                    ),
                ),
            ),
            _HOUSING_SECTION,
            "Pace and Barry 1997, from the US census of 1990; none stated",
        ),
        RemoteDataset(
            "adult",
            "48,842 people of the US census of 1994, and whether they earned over 50,000 dollars",
            (
                _file(
                    "adult.data",
                    3_974_305,
                    "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
                    _ADULT,
                ),
                _file(
                    "adult.test",
                    2_003_153,
                    "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
                    _ADULT,
                ),
            ),
            _ADULT_SECTION,
            "UCI Machine Learning Repository, listed as CC BY 4.0",
        ),
        RemoteDataset(
            "wine-quality",
            "6,497 wines with 11 measurements and marks of tasters, comma-separated and without a header",
            (
                _file(
                    "winequality-red.csv",
                    84_028,
                    "c9614512e980f1cbd221c796daa97f00c4898c3cd1716863abac60f6cd1a522e",
                    _WINE,
                ),
                _file(
                    "winequality-white.csv",
                    264_255,
                    "659d419fff887f225bf977d20520bb64a64cae203e460087f809721d4430ba27",
                    _WINE,
                ),
            ),
            _WINE_SECTION,
            "Cortez et al. 2009, UCI Machine Learning Repository, listed as CC BY 4.0",
        ),
    )
}
# Asked for by name, but with no file whose bytes could be checked and that Ravine reads.
NOT_OFFERED = dict.fromkeys(
    ("cifar10", "cifar-10"),
    "its publisher gives it as Python pickles or in a format of its own; the sprites that Ravine "
    'reads are shown in the docs under source = "sprites"',
)
