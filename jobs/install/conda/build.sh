#!/usr/bin/env bash
# Called by conda build (meta.yaml) in the source folder: what site.mk says of Debian, for conda.
set -eu
site=(DEPS=no CC="$PREFIX/bin/mpicc" CXX="$PREFIX/bin/mpicxx"
    PKGS="hdf5 openblas libtiff-4 libpng libjpeg libopenjp2 yaml-0.1 libxml-2.0 zlib libzstd liblz4 libxxhash jansson libcurl"
    EXTRA_CFLAGS="-isystem $PREFIX/include" EXTRA_LIBS="-L$PREFIX/lib -Wl,-rpath,$PREFIX/lib -lsnappy")
make -j"${CPU_COUNT:-2}" "${site[@]}" programs
make "${site[@]}" PREFIX="$PREFIX" install
