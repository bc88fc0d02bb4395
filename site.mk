# site.mk -- every value that differs from machine to machine, and nothing else. To change one, put it into site.local.mk beside
# this file (not kept by git), set it on make's command line, or in the environment. `make print-config` shows what is in force.

# On a cluster with modules: load them first (MODULES is also what the job scripts load), e.g. MODULES = openmpi hdf5-parallel oneapi-dnn
MODULES      ?=

ifeq ($(origin CC),default)
CC           := gcc
endif
ifeq ($(origin CXX),default)
CXX          := g++
endif
MPIRUN       ?= mpirun

# Where `make install` puts everything (DESTDIR is put before it). The installed folder may be moved afterwards.
PREFIX       ?= /usr/local

# Libraries found through pkg-config; where a site has no .pc file, leave the package out here and say where it is below.
PKGS         ?= hdf5-openmpi ompi-c openblas libtiff-4 libpng libjpeg libopenjp2 \
                yaml-0.1 libxml-2.0 zlib libzstd liblz4 snappy libxxhash jansson libcurl
OPENBABEL    ?= openbabel-3
DNNL_CFLAGS  ?=
DNNL_LIBS    ?= -ldnnl
EXTRA_CFLAGS ?=
EXTRA_LIBS   ?=

# Suppressions that Open MPI brings for valgrind.
MPI_VALGRIND_SUPP    ?= /usr/share/openmpi/openmpi-valgrind.supp
OPENBLAS_NUM_THREADS ?= 1

# For the job scripts.
SLURM_ACCOUNT   ?=
SLURM_PARTITION ?=

-include $(dir $(lastword $(MAKEFILE_LIST)))site.local.mk
