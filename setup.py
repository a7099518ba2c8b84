"""Builds the compiled parts: CMake for core/ and python/bindings, Cython for the .pyx modules of the package.

Environment:
    RAVINE_ONEDNN              AUTO (default), ON or OFF: use oneDNN for float32
    RAVINE_CUDA_ARCHITECTURES  all (default in a wheel), native (for the GPUs of this machine, where there
                               are any; default in place), or a list such as 80-real;90-real
    RAVINE_CMAKE_ARGS          further arguments for CMake, such as "-DRAVINE_WERROR=ON"
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy
import pybind11
import scipy_openblas32
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import ExecError

ROOT = Path(__file__).resolve().parent
CUDA_LIBRARY = "libravine_cuda.so"


def file_of(package: str, name: str) -> Path | None:
    """The installed file `name` of a package, wherever pip has put it: also inside an isolated build."""
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        return None
    return next((Path(str(file.locate())).resolve() for file in files if file.name == name), None)


def onednn_arguments() -> list[str]:
    choice = os.environ.get("RAVINE_ONEDNN", "AUTO").upper()
    arguments = [f"-DRAVINE_ONEDNN={choice}"]
    library = file_of("onednn-cpu-gomp", "libdnnl.so.3")
    header = file_of("onednn-devel-cpu-gomp", "dnnl.hpp")
    if choice != "OFF" and library and header:
        arguments += [f"-DRAVINE_ONEDNN_LIBRARY={library}", f"-DRAVINE_ONEDNN_INCLUDE={header.parent}"]
    return arguments


def openblas_arguments() -> list[str]:
    library = Path(scipy_openblas32.get_lib_dir()) / scipy_openblas32.get_library(fullname=True)
    return [
        f"-DRAVINE_OPENBLAS_LIBRARY={library}",
        f"-DRAVINE_OPENBLAS_INCLUDE={scipy_openblas32.get_include_dir()}",
    ]


def editable_rpath() -> str:
    """Where the libraries lie once installed; an editable module lies in the source tree, far from them."""
    return f"{sys.prefix}/lib;{sysconfig.get_path('platlib')}/scipy_openblas32/lib"


def cuda_rpath() -> str:
    """The same of the libraries of NVIDIA's wheels."""
    nvidia = Path(sysconfig.get_path("platlib")) / "nvidia"
    return ";".join(str(nvidia / part / "lib") for part in ("cu13", "cudnn", "nccl"))


def cuda_arguments(editable: bool) -> list[str]:
    headers = [
        file_of(package, name)
        for package, name in (
            ("nvidia-cublas", "cublasLt.h"),
            ("nvidia-cudnn-cu13", "cudnn.h"),
            ("nvidia-nccl-cu13", "nccl.h"),
        )
    ]
    folders = ";".join(str(header.parent) for header in headers if header)
    chosen = os.environ.get("RAVINE_CUDA_ARCHITECTURES", "native" if editable else "all")
    architectures = cards_here() if chosen == "native" else "" if chosen == "all" else chosen
    return [
        f"-DRAVINE_CUDA_RPATH={cuda_rpath() if editable else ''}",
        f"-DRAVINE_CUDA_HEADERS={folders}",
        f"-DCMAKE_CUDA_ARCHITECTURES={architectures or 'OFF'}",
    ]


def cards_here() -> str:
    """What nvcc calls the GPUs of this machine; nothing where there are none, or nvcc does not know one."""
    asked = (["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"], ["nvcc", "--list-gpu-code"])
    try:
        cards, known = (
            subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.split()
            for command in asked
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    numbers = sorted({card.replace(".", "") for card in cards})
    return ";".join(f"{one}-real" for one in numbers) if {f"sm_{one}" for one in numbers} <= {*known} else ""


class BuildCore(build_ext):
    """Hands ravine._core to CMake and everything else to setuptools."""

    def run(self) -> None:
        self.editable = bool(self.inplace or self.editable_mode)
        super().run()

    def build_extension(self, ext: Extension) -> None:
        if ext.name == "ravine._core":
            self.build_core(Path(self.get_ext_fullpath(ext.name)))
        else:
            super().build_extension(ext)

    def build_core(self, module: Path) -> None:
        build = ROOT / "build" / ("editable" if self.editable else "wheel")
        # The tools of an earlier isolated build are gone: those found now are named, and are part of the key.
        cmake, ninja = (shutil.which(tool) for tool in ("cmake", "ninja"))
        if cmake is None or ninja is None:
            raise ExecError("cmake and ninja are needed on PATH: pip install cmake ninja")
        configure = [
            cmake, "-S", str(ROOT / "python" / "bindings"), "-B", str(build), "-G", "Ninja",
            f"-DCMAKE_MAKE_PROGRAM={ninja}",
            "-DCMAKE_BUILD_TYPE=Release",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
            f"-DRAVINE_VERSION={self.distribution.get_version()}",
            f"-DRAVINE_RPATH={editable_rpath() if self.editable else ''}",
            *cuda_arguments(self.editable),
            *onednn_arguments(),
            *openblas_arguments(),
            *shlex.split(os.environ.get("RAVINE_CMAKE_ARGS", "")),
        ]  # fmt: skip
        key = build / "configured-with.txt"
        if not key.exists() or key.read_text() != "\n".join(configure):
            self.run_cmake([*configure, "--fresh"], quiet=not self.verbose)
            key.write_text("\n".join(configure))
        self.run_cmake([cmake, "--build", str(build), *([] if sys.stdout.isatty() else ["--", "--quiet"])])
        module.parent.mkdir(parents=True, exist_ok=True)
        self.renew(build / module.name, module)
        self.renew(build / CUDA_LIBRARY, module.parent / CUDA_LIBRARY)

    def copy_extensions_to_source(self) -> None:
        super().copy_extensions_to_source()
        built = Path(self.build_lib) / "ravine" / CUDA_LIBRARY
        self.renew(built, ROOT / "python" / "ravine" / CUDA_LIBRARY)

    @staticmethod
    def renew(built: Path, target: Path) -> None:
        if not built.exists():  # there is no CUDA backend in this build
            target.unlink(missing_ok=True)
            return
        # A process that runs keeps the old file; overwriting it in place would crash it.
        fresh = target.with_suffix(".new")
        shutil.copy2(built, fresh)
        fresh.replace(target)

    @staticmethod
    def run_cmake(command: list[str], quiet: bool = False) -> None:
        done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE if quiet else None)
        if done.returncode != 0:
            raise ExecError(f"{done.stdout or ''}failed: {shlex.join(command)}")


def cython_extensions() -> list[Extension]:
    """One extension for every .pyx below python/ravine; the generated C stays in build/."""
    extensions = [
        Extension(
            ".".join(source.relative_to("python").with_suffix("").parts),
            [str(source)],
            include_dirs=[numpy.get_include()],
            extra_compile_args=["-O3", "-fopenmp", "-fno-math-errno", "-fno-trapping-math"],
            extra_link_args=["-fopenmp"],
        )
        for source in sorted(Path("python/ravine").rglob("*.pyx"))
    ]
    return list(cythonize(extensions, build_dir="build/cython", quiet=True, language_level=3))


os.chdir(ROOT)
setup(
    ext_modules=[Extension("ravine._core", sources=[]), *cython_extensions()],
    cmdclass={"build_ext": BuildCore},
)
