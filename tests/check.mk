# tests/check.mk -- what `make check` and its sisters do, once the packages are there. Called by the Makefile.
IN_CHECK := yes
include Makefile

RUN := bash tests/run.sh

.PHONY: build-release build-debug build-asan
build-release:
	@$(MAKE) -j2 --no-print-directory -s DEPS=no programs tests
build-debug:
	@$(MAKE) -j2 --no-print-directory -s DEPS=no MODE=debug programs tests
build-asan:
	@$(MAKE) -j2 --no-print-directory -s DEPS=no MODE=debug SAN=address programs tests

check: build-release build-debug build-asan
	@$(RUN) check

check-long: build-release build-debug build-asan
	@$(RUN) check-long

bench: build-release
	@bash tests/bench/run.sh

lint: build-release
	@bash tests/lint.sh

# Coverage-guided, with clang; SECONDS_EACH and FUZZ choose how long and which.
SECONDS_EACH ?= 60
FUZZ ?= $(notdir $(basename $(FUZZ_SRC)))
fuzz:
	@bash tests/fuzz/fuzz.sh $(SECONDS_EACH) $(FUZZ)

coverage:
	@bash tests/coverage.sh

# The only way to change a golden file; look at the difference before committing it.
golden: build-release
	@GOLDEN=1 $(RUN) check driver
