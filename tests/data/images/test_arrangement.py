"""Which pictures belong to which class, by the names of folders."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ravine.data.images.arrangement import Arrangement, arrange, natural
from ravine.data.source import TEST, TRAIN, VALIDATION
from ravine.errors import InputError


def found(arrangement: Arrangement) -> list[tuple[str, int, str]]:
    return [(one.name, one.part, arrangement.class_names[one.label]) for one in arrangement.pictures]


def message(files: list[str], folders: list[str] | None = None) -> str:
    with pytest.raises(InputError) as caught:
        arrange(files, folders or [])
    return str(caught.value)


def test_numbers_are_sorted_by_value() -> None:
    files = [f"{label}/{name}.png" for label in ("10", "9", "1") for name in ("b2", "b10", "b1")]
    arrangement = arrange(files, [])
    assert arrangement.class_names == ("1", "9", "10")
    assert [name for name, _, _ in found(arrangement)][:4] == [
        "1/b1.png",
        "1/b2.png",
        "1/b10.png",
        "9/b1.png",
    ]
    assert sorted(["cat", "Dog", "ant"], key=natural) == ["Dog", "ant", "cat"]
    assert sorted(["01", "1", "002"], key=natural) == ["01", "1", "002"]


def test_parts() -> None:
    files = ["train/a/1.png", "train/b/1.jpg", "val/b/2.JPEG", "test/a/3.png"]
    assert found(arrange(files, [])) == [
        ("train/a/1.png", TRAIN, "a"),
        ("train/b/1.jpg", TRAIN, "b"),
        ("val/b/2.JPEG", VALIDATION, "b"),
        ("test/a/3.png", TEST, "a"),
    ]
    # Classes may have such names, as long as not all of them do.
    assert arrange(["train/1.png", "car/1.png"], []).class_names == ("car", "train")


@pytest.mark.parametrize("outer", ["data/", "a/b/c/", "train/"])
def test_a_folder_around_all_is_passed_through(outer: str) -> None:
    files = [f"{outer}x/1.png", f"{outer}y/sub/2.png"]
    assert found(arrange(files, [])) == [(files[0], TRAIN, "x"), (files[1], TRAIN, "y")]


def test_what_programs_leave_is_not_seen_and_other_files_are_named() -> None:
    junk = ["x/.DS_Store", "x/Thumbs.db", "__MACOSX/x/._1.png", ".git/config", "x/._1.png"]
    arrangement = arrange(["x/1.png", "y/2.png", "README.txt", "x/notes.csv", *junk], ["empty/.hidden"])
    assert len(arrangement.pictures) == 2
    assert arrangement.ignored == ("README.txt", "x/notes.csv")


def test_messages() -> None:
    assert "holds no PNG or JPEG pictures" in message([])
    assert "holds no PNG or JPEG pictures" in message(["a/notes.txt"])
    assert "holds one class folder only, 'cats'; a classification needs at least two" in message(
        ["cats/1.png"]
    )
    assert "the picture stray.png lies in no class folder" in message(["a/1.png", "b/1.png", "stray.png"])
    assert "2 pictures, such as 1.png, lie but there are no class folders" in message(["1.png", "2.png"])
    assert "the picture train/1.png lies in no class folder" in message(
        ["train/1.png", "train/a/2.png", "test/a/3.png"]
    )
    assert "the picture a/2.gif is in a format that is not read" in message(["a/1.png", "b/1.png", "a/2.gif"])
    assert "the class folder 'c' holds no PNG or JPEG picture" in message(
        ["a/1.png", "b/1.png"], ["a", "b", "c"]
    )
    assert "nor do 1 more" in message(["a/1.png", "b/1.png", "c/x.txt"], ["d"])
    text = message(["train/a/1.png", "train/b/1.png", "test/c/1.png"])
    assert "the test pictures have a class 'c' that the training pictures lack (they have 'a', 'b')" in text
    assert "holds no training pictures" in message(["train/x.txt", "test/a/1.png", "val/b/2.png"])


NAMES = st.text(st.sampled_from("ab/.9X _-é"), max_size=12) | st.sampled_from(
    ["train", "test", "a/1.png", "b/2.jpg"]
)


@settings(max_examples=500)
@given(st.lists(st.tuples(NAMES, st.sampled_from(["", ".png", ".txt", "/x.png"])).map("".join), max_size=8))
def test_any_names_give_classes_or_one_line(files: list[str]) -> None:
    files = [name for one in files if (name := "/".join(filter(None, one.split("/"))))]
    text = ""
    try:
        arrangement = arrange(files, [])
    except InputError as error:
        text = str(error)
    else:
        assert len(arrangement.class_names) >= 2
        assert {one.label for one in arrangement.pictures} == set(range(len(arrangement.class_names)))
    assert "\n" not in text
