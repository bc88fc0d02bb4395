# Spack: spack repo add jobs/install/spack; spack install micon
from spack.package import *


class Micon(MakefilePackage):
    """Batch pipeline (MPI) from the images of a Cell Painting screen to profiles: tiles, training, embedding, evaluation."""

    homepage = "https://arxiv.org/abs/2504.09544"
    git = "file://" + __file__.rsplit("/jobs/install/", 1)[0]  # the clone that this recipe is part of
    license("BSD-3-Clause")

    version("main", branch="main")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("gmake", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi")
    depends_on("hdf5@1.10:+mpi")
    depends_on("onednn@2.6:3")
    depends_on("openblas")
    depends_on("libtiff@4:")
    depends_on("openbabel@3:")
    for name in ("libpng", "jpeg", "openjpeg", "libxml2", "libyaml", "zlib-api", "zstd", "lz4", "snappy", "xxhash", "jansson", "curl"):
        depends_on(name)

    def site(self):
        """What site.mk says of Debian, for Spack."""
        return [
            "DEPS=no",
            "CC=" + self.spec["mpi"].mpicc,
            "CXX=" + self.spec["mpi"].mpicxx,
            "PKGS=hdf5 openblas libtiff-4 libpng libjpeg libopenjp2 yaml-0.1 libxml-2.0 zlib libzstd liblz4 libxxhash jansson libcurl",
            "EXTRA_LIBS=-lsnappy",
            "DNNL_CFLAGS=-isystem " + self.spec["onednn"].prefix.include,
            "DNNL_LIBS=" + self.spec["onednn"].libs.ld_flags,
            "MPIRUN=" + join_path(self.spec["mpi"].prefix.bin, "mpirun"),
        ]

    def build(self, spec, prefix):
        make("programs", *self.site())

    def install(self, spec, prefix):
        make("install", "PREFIX=" + prefix, *self.site())

    def test_demo(self):
        """all stages on a small simulated screen"""
        which("bash")(join_path(self.prefix.share.micon.jobs, "install", "try.sh"))
