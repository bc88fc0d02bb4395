# MICON in C. `make` builds, `make check` tests, `make help` lists the rest; the first of them installs what is missing.
# Objects go to build/<variant>/: release; debug (fault points compiled in); debug-address (AddressSanitizer and UBSan).
include site.mk

MODE ?= release
SAN  ?=
B    := build/$(MODE)$(if $(SAN),-$(SAN))
# The only place that has it; programs get it as MICON_VERSION.
VERSION := 0.1.0

# ---- first: the packages. DEPS=no never looks; otherwise apt installs what is missing where it may. ----
DEBIAN_BUILD := gcc g++ make pkg-config libopenmpi-dev openmpi-bin libhdf5-openmpi-dev libtiff-dev libpng-dev \
                libjpeg-dev libopenjp2-7-dev libopenbabel-dev libopenblas-dev libdnnl-dev libyaml-dev libxml2-dev zlib1g-dev libzstd-dev \
                liblz4-dev libsnappy-dev libxxhash-dev libjansson-dev libcurl4-openssl-dev
DEBIAN_TEST  := hdf5-tools openbabel valgrind shellcheck slurmctld slurmd slurm-client munge iproute2

.PHONY: all help deps deps-test demo reproduce check check-long bench lint coverage fuzz print-config site.env clean programs golden
.PHONY: install uninstall manuals
.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

all: deps
	@$(MAKE) --no-print-directory DEPS=no programs

# A small drawn screen through all stages, and a table of what came out.
demo: deps
	@echo "building: a minute or two"
	@$(MAKE) --no-print-directory -s -j2 DEPS=no programs >/dev/null
	@bash tests/demo.sh

reproduce: deps
	@$(MAKE) --no-print-directory -s -j2 DEPS=no programs >/dev/null
	@bash tests/reproduce/run.sh $(or $(SCALE),small)

help:
	@echo "make demo        builds, then a drawn screen through all stages on two ranks, with a table of results (minutes)"
	@echo "make             build the programs into $(B)/bin"
	@echo "make check       the tests (under 10 minutes)        make check-long  the long ones (under 40)"
	@echo "make reproduce   all methods on drawn screens (an hour or two; SCALE=medium: a night) into docs/reproduction.md"
	@echo "make bench       ratios against named peers          make lint        formatting, static analysis, layers"
	@echo "make install     programs, job scripts, pages, completion below PREFIX ($(PREFIX)); DESTDIR=; make uninstall removes them"
	@echo "make MODE=debug  variants: MODE=release|debug, SAN=address"
	@echo "make print-config, make site.env, make coverage, make fuzz, make clean"

ifeq ($(DEPS),no)
deps deps-test: ;
else
deps:
	@bash tests/deps.sh $(DEBIAN_BUILD)
deps-test:
	@bash tests/deps.sh $(DEBIAN_BUILD) $(DEBIAN_TEST)
endif

ifndef IN_CHECK
check check-long bench lint coverage fuzz golden: deps-test
	@$(MAKE) --no-print-directory -f tests/check.mk DEPS=no $@
endif

# ---- compile ----
ifeq ($(DEPS),no)
PKG_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS)))
PKG_LIBS   := $(shell pkg-config --libs $(PKGS))
OB_CFLAGS  := $(patsubst -I%,-isystem %,$(if $(OPENBABEL),$(shell pkg-config --cflags $(OPENBABEL))))
OB_LIBS    := $(if $(OPENBABEL),$(shell pkg-config --libs $(OPENBABEL)))
BUILT_WITH := $(foreach p,$(PKGS) $(OPENBABEL),$p=$(shell pkg-config --modversion $p))
ifeq ($(strip $(PKG_LIBS)),)
$(error pkg-config knows not all of: $(PKGS). Set PKGS, EXTRA_CFLAGS and EXTRA_LIBS in site.local.mk, or install: $(DEBIAN_BUILD))
endif
endif

CLANG  := $(findstring clang,$(notdir $(CC)))
# gcc's words that it does not know, and what gcc does not warn of.
CLANG_WARN := -Wno-unknown-attributes -Wno-unknown-pragmas -Wno-bitwise-instead-of-logical -Wno-sign-conversion -Wno-format-nonliteral
WARN   := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wformat=2 \
          $(if $(CLANG),$(CLANG_WARN),-Wno-format-truncation) $(if $(CI),-Werror)
CWARN  := -Wstrict-prototypes -Wmissing-prototypes
# no-tree-slp-vectorize: gcc 12 was seen to drop the rounding of (double)(float)x in pairs of values, on some vector levels only.
OPT_release := -O2 -g -fno-tree-slp-vectorize
OPT_debug   := -O1 -g -fno-tree-slp-vectorize -DMICON_FAULTS
comma       := ,
SANFLAGS    := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
CPPFLAGS_ALL := -Iinclude -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -DMICON_VERSION='"$(VERSION)"' \
                $(PKG_CFLAGS) $(DNNL_CFLAGS) $(EXTRA_CFLAGS)
# clang contracts a product and a sum, where gcc's -std=c11 does not: results would differ.
CFLAGS_ALL   := -std=c11 $(OPT_$(MODE)) $(if $(CLANG),-ffp-contract=off) $(SANFLAGS) $(WARN) $(CWARN) $(CFLAGS)
CXXFLAGS_ALL := -std=c++17 $(OPT_$(MODE)) $(SANFLAGS) $(WARN) $(OB_CFLAGS) $(CXXFLAGS)
# --as-needed: each program ends up linked with what it uses, and only that (tests/lint checks it).
LIBS_ALL     := -Wl,--as-needed $(PKG_LIBS) $(OB_LIBS) $(DNNL_LIBS) $(EXTRA_LIBS) -lstdc++ $(if $(CLANG),-fopenmp,-lgomp) -lpthread -lm

LIB_SRC  := $(wildcard common/*/*.c common/*/*/*.c common/*/*.cc)
LIB_OBJ  := $(patsubst %,$(B)/%.o,$(LIB_SRC))
LIB      := $(B)/libmicon.a

# A program per file of stages/, or per folder where one file got long; pipeline/ is the driver.
STAGE_ONE := $(wildcard stages/*.c)
STAGE_DIR := $(patsubst stages/%/,%,$(sort $(dir $(wildcard stages/*/*.c))))
PROGRAMS  := $(patsubst stages/%.c,$(B)/bin/micon-%,$(STAGE_ONE)) $(patsubst %,$(B)/bin/micon-%,$(STAGE_DIR)) \
             $(if $(wildcard pipeline/*.c),$(B)/bin/micon)
TEST_SRC  := $(wildcard tests/unit/*.c tests/mpi/*.c tests/bench/*.c tests/tools/*.c)
FUZZ_SRC  := $(wildcard tests/fuzz/fuzz_*.c)
TESTS     := $(patsubst %.c,$(B)/%,$(TEST_SRC))
FUZZERS   := $(patsubst %.c,$(B)/%,$(FUZZ_SRC))

programs: $(PROGRAMS)
tests: $(TESTS) $(FUZZERS)
.PHONY: tests

# Rewritten only when the flags differ, and every object depends on it.
FLAGS_TEXT := $(CC) $(CXX) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(CXXFLAGS_ALL) $(LIBS_ALL) $(BUILT_WITH)
ifeq ($(DEPS),no)
$(shell mkdir -p $(B); printf '%s\n' '$(subst ','\'',$(FLAGS_TEXT))' | cmp -s - $(B)/flags || \
    printf '%s\n' '$(subst ','\'',$(FLAGS_TEXT))' > $(B)/flags)
endif
$(B)/flags: ;

# --version --verbose shows the versions of the packages.
$(B)/common/base/about.c.o: CPPFLAGS_ALL += -DMICON_BUILT_WITH='"$(strip $(BUILT_WITH))"'

# The loops of the network run on the threads of OpenMP, as those of oneDNN do. no-math-errno: roots are vectors too (the same values).
$(B)/common/nn/%.c.o: CFLAGS_ALL += -fopenmp -fno-math-errno

$(B)/%.c.o: %.c $(B)/flags
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(B)/%.cc.o: %.cc $(B)/flags
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS_ALL) $(CXXFLAGS_ALL) -MMD -MP -c $< -o $@

# Text files that a stage's program carries: stages/evaluate/report.css becomes the string report_css.
$(B)/%.text.o: % $(B)/flags
	@mkdir -p $(@D)
	@{ s=$(subst .,_,$(notdir $*)); echo "extern const char $$s[]; const char $$s[] = {"; \
	  od -An -v -td1 $< | sed 's/[-0-9][0-9]*/&,/g'; echo "0};"; } >$(@:.o=.c)
	$(CC) $(CFLAGS_ALL) -c $(@:.o=.c) -o $@

$(LIB): $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

LINK = @mkdir -p $(@D); echo "$(CC) -o $@"; $(CC) $(SANFLAGS) -o $@ $(filter %.o,$^) $(LIB) $(LIBS_ALL)
.SECONDEXPANSION:
$(B)/bin/micon: $(patsubst %,$(B)/%.o,$(wildcard pipeline/*.c)) $(LIB)
	$(LINK)
$(patsubst stages/%.c,$(B)/bin/micon-%,$(STAGE_ONE)): $(B)/bin/micon-%: $(B)/stages/%.c.o $(LIB)
	$(LINK)
$(patsubst %,$(B)/bin/micon-%,$(STAGE_DIR)): $(B)/bin/micon-%: $$(addprefix $(B)/,$$(addsuffix .o,$$(wildcard stages/$$*/*.c)) \
  $$(addsuffix .text.o,$$(wildcard stages/$$*/*.html stages/$$*/*.css stages/$$*/*.js))) $(LIB)
	$(LINK)
$(TESTS): $(B)/%: $(B)/%.c.o $(LIB)
	$(LINK)
$(B)/tests/mpi/m_inference: $(B)/stages/embed/inference.c.o
$(B)/tests/tools/scale_model: $(addprefix $(B)/pipeline/,rates.c.o json_file.c.o)
$(B)/tests/unit/t_plan_estimate $(B)/tests/unit/t_plan_scale $(B)/tests/unit/t_stage_table $(B)/tests/tools/scale_model: \
  $(addprefix $(B)/pipeline/,plan_estimate.c.o plan_scale.c.o plan_decide.c.o stage_table.c.o)
# Under gcc a fuzz target replays files; `make fuzz` builds the same source with clang's libFuzzer (tests/check.mk).
$(FUZZERS): $(B)/%: $(B)/%.c.o $(B)/tests/fuzz/main.c.o $(LIB)
	$(LINK)

-include $(shell find $(B) -name '*.d' 2>/dev/null)

print-config:
	@$(foreach v,MODE SAN B CC CXX MPIRUN PKGS OPENBABEL DNNL_CFLAGS DNNL_LIBS EXTRA_CFLAGS EXTRA_LIBS MODULES OPENBLAS_NUM_THREADS \
	  MPI_VALGRIND_SUPP SLURM_ACCOUNT SLURM_PARTITION,echo '$(v) = $($(v))';)

# What the job scripts need to know of the site. Installed ones find the programs beside themselves.
SITE_ENV = MPIRUN='$(MPIRUN)'\nMODULES='$(MODULES)'\nSLURM_ACCOUNT='$(SLURM_ACCOUNT)'\nSLURM_PARTITION='$(SLURM_PARTITION)'\n$\
  OPENBLAS_NUM_THREADS='$(OPENBLAS_NUM_THREADS)'\n
site.env:
	@printf "MICON_BIN='%s'\n$(SITE_ENV)" '$(CURDIR)/$(B)/bin' >$@

# ---- install: relocatable; man pages, completion and module files are made from what the programs say of themselves ----
INSTALLED := $(B)/install
manuals: $(PROGRAMS)
	@mkdir -p $(INSTALLED)/man
	@$(B)/bin/micon --help-man >$(INSTALLED)/man/micon.1
	@$(B)/bin/micon --help-keys >$(INSTALLED)/man/screen.yaml.5
	@for p in $(filter-out %/micon,$(PROGRAMS)); do $$p --help-man >$(INSTALLED)/man/$${p##*/}.1 || exit 1; done
	@bash jobs/install/completion.sh bash $(B)/bin >$(INSTALLED)/micon.bash
	@bash jobs/install/completion.sh zsh $(B)/bin >$(INSTALLED)/_micon
	@for m in lua tcl; do sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@MODULES@|$(MODULES)|g' jobs/install/modulefile.$$m.in \
	    >$(INSTALLED)/modulefile.$$m; done
	@printf "$(SITE_ENV)" >$(INSTALLED)/site.env

install uninstall:
	@$(MAKE) --no-print-directory DEPS=no manuals
	@PREFIX='$(PREFIX)' DESTDIR='$(DESTDIR)' bash jobs/install/install.sh $@ $(B) $(VERSION)

clean:
	rm -rf build site.env
