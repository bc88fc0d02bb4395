#!/usr/bin/env bash
# container.sh -- the steps of every container, run as root in the source folder on a bare Debian: packages, build, make install below
# /usr/local. jobs/install/micon.def (Apptainer) and jobs/install/Dockerfile call it; so may debootstrap and chroot.
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends make ca-certificates
make deps
make -s -j"$(nproc)" DEPS=no programs
make -s install PREFIX=/usr/local
make -s clean
apt-get clean
rm -rf /var/lib/apt/lists/*
