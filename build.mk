# build.mk - how everything is built: plain non-recursive GNU make
#
#   make [all]       kernel, sigma0, root task, region manager, pagers, examples  -> build/
#   make check       host tests under sanitizers, tidy, ABI golden text, stacks   (seconds)
#   make test        everything, through pytest and QEMU
#   make test-long   what takes hours: the targets in the list long-y
#   make coverage    which lines and branches the tests reach      make mutate     MUTATE=n mutants
#   make analyze     gcc -fanalyzer, clang-tidy, cppcheck
#   make prove       Frama-C: the flexpage arithmetic, for all 64-bit inputs
#   make model       the SPIN models in tests/model, with and without known mistakes
#   make run         the demonstration; APPS= SCRIPT= ROOT= MODULES= HEADLESS=1 CMDLINE= MEM= CPU=
#   make iso         build/quire.iso for BIOS and UEFI
#   make abi-golden  rewrite tests/abi/golden.txt (an ABI change: see CHANGES.md)
#   make compile_commands.json    build/compile_commands.json, where clangd looks for it
#   make fuzz-model  random operations from libFuzzer beside the model; FUZZFLAGS=
#   make bench       the benchmark: a table, and build/bench.json; BENCHFLAGS=
#   make bench-compare BASE=file  the same, and what changed since
#   make profile     instructions by function: PROFILEFLAGS=fault_1
#   make clean
#
# Options: V=1 shows commands; MODE=release drops the checks; MODE=san (ubsan, kasan) looks for
# undefined behaviour and wrong memory accesses of the kernel; STEPS=1: the kernel looks at the
# interrupts after every step of a long operation; CC=gcc; O=dir.
#
# B1  */build.mk, libl4/*.mk, tests/host/*.mk hold lists only, paths relative to their folder:
#         kernel-y libl4-y rm-y sigma0-y roottask-y anon-y rom-y := file.c ../other/file.c ...
#         host-y += test_x     test_x-y := test_x.c ../../kernel/x.c     (tests/host/*.mk)
#         test_x-cflags := ...     test_x-ldflags := ...                  (optional)
#         host-sets += s   s-y, s-cflags   test_x-with := s   objects that several tests share
#     A folder of a program (APPS, ROOT, examples/*/, tests/guest/*/) is all its *.c and *.S, or
#     what its own build.mk says: `sources := a.c b.c`, `cflags := ...`, and `libc := small` for
#     Quire's small C library instead of musl. In the root task's place it is small anyway.
# B2  Every object is compiled once for each image that it is part of, under obj/<image>/.
#     Programs are linked by libl4/user.ld; the symbol `image_base` tells it the link address.
# B3  Every object depends on the text of its command (obj/<image>/flags), so a changed flag
#     rebuilds; every image depends on the text of its object list, so a removed file relinks.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.PHONY: all check test test-long fuzz-model prove model run iso clean FORCE apps guest tidy abi \
        abi-golden compile_commands.json host-tests guest-run images bench bench-compare \
        bench-images profile stack seeded
all: images
ifneq ($(filter clean,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

O ?= build
MODE ?= debug
sanitized := san ubsan kasan
PYTHON ?= /usr/bin/python3
ifneq ($(filter default undefined,$(origin CC)),)
CC := clang
endif
HOSTCC ?= clang
LD := ld.lld
AR := llvm-ar
OBJCOPY := llvm-objcopy
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s%s\n' '$(1)' '$(patsubst $(O)/%,%,$(2))')

# ---------------------------------------------------------------- flags

compiler-headers := $(shell $(CC) -print-file-name=include)
cflags-all := -std=gnu11 -O2 -g -Wall -Wextra -nostdinc -fno-pic -fno-pie \
    -fno-omit-frame-pointer -fno-stack-protector -fno-common -fno-asynchronous-unwind-tables \
    -fcf-protection=none
ifeq ($(MODE),release)
cflags-all += -DQUIRE_RELEASE=1

cflags-release := -fomit-frame-pointer
else ifneq ($(filter debug $(sanitized),$(MODE)),)
cflags-all += -DQUIRE_CHECKS=1
else
$(error MODE is debug, release, or for the kernel one of $(sanitized); not $(MODE))
endif
# Sanitizers of the kernel; the run times are in tests/san.
san-ubsan := $(if $(filter ubsan san,$(MODE)),-fsanitize=undefined -fno-sanitize-recover=all)
san-kasan := $(if $(filter kasan san,$(MODE)),-fsanitize=kernel-address -fno-sanitize-recover=all \
    $(addprefix -mllvm -asan-,stack=1 globals=1 instrumentation-with-call-threshold=1000000 \
    max-inline-poisoning-size=0 mapping-offset=0xe000000001000000))
ifneq ($(san-ubsan)$(san-kasan),)
$(if $(findstring gcc,$(CC)),$(error MODE=$(MODE) needs clang))
# Long operations look for something more important ten times as often: more ways through them.
san-both := $(san-ubsan) -DQUIRE_SAN=1 -DQUIRE_STEPS=5 $(if $(san-kasan),-DQUIRE_KASAN=1)
endif
ldflags-kernel := $(if $(san-kasan),$(addprefix --wrap=,memcpy memmove memset))
cflags-common := $(cflags-all) -ffreestanding -isystem $(compiler-headers)
cflags-kernel := $(cflags-common) $(cflags-release) -Werror -mcmodel=kernel -mno-red-zone \
    -mgeneral-regs-only -ffunction-sections -fdata-sections -fno-jump-tables \
    -Ikernel -Ilibl4 $(if $(findstring gcc,$(CC)),-Wno-address-of-packed-member) \
    $(if $(STEPS),-DQUIRE_STEPS=$(STEPS))
# Programs start threads with any stack pointer, as L4Re's examples do: code that needs 16 aligns.
cflags-stack := $(if $(findstring gcc,$(CC)),-mstackrealign,-mstack-alignment=8)
# The order is the meaning: <l4/...> and <stdio.h> are Quire's own.
cflags-small := $(cflags-common) $(cflags-stack) -Ilibl4/include -Ilibl4/include/libc -Ilibl4
cflags-user := $(cflags-small) -Werror
# Who does without the FPU pays nothing for its state when threads are switched.
cflags-lean := $(cflags-user) -mgeneral-regs-only
# Ordinary programs are linked with Debian's musl, whose code takes 16 for granted.
MUSL_HEADERS ?= /usr/include/x86_64-linux-musl
MUSL ?= /usr/lib/x86_64-linux-musl/libc.a
cflags-musl := $(cflags-all) -DL4_LIBC_THREADS=1 -mstackrealign -Ilibl4/include -Ilibl4 \
    -isystem $(MUSL_HEADERS) -isystem $(compiler-headers)
libraries-small := $(O)/small.a $(O)/libl4.a
libraries-musl := $(O)/linux.a $(O)/libl4.a $(MUSL)
HOSTSAN ?= -fsanitize=address,undefined -fno-sanitize-recover=all
cflags-host := -std=gnu11 -O1 -g -Wall -Wextra -Werror -fno-omit-frame-pointer \
    $(HOSTSAN) -DQUIRE_CHECKS=1 \
    -Itests/host -I$(O)/host/kernel -Ilibl4
ldflags := -nostdlib -static -z max-page-size=4096 -z noexecstack --build-id=none \
    --orphan-handling=place

# ---------------------------------------------------------------- lists

kernel-y :=
kernel-small-y :=
kernel-early-y :=
libl4-y :=
small-y :=
linux-y :=
rm-y :=
sigma0-y :=
roottask-y :=
anon-y :=
rom-y :=
managed-y :=
phys-y :=
host-y :=
host-sets :=
include $(wildcard kernel/build.mk libl4/*.mk sigma0/build.mk roottask/build.mk pagers/build.mk)
include $(sort $(wildcard tests/host/*.mk tests/guest/*.mk))

# ---------------------------------------------------------------- rules, as templates

deps :=
units := # what compile_commands.json is made of: file|object|name of the command variable

# $(call object,image,file): where the object lies
object = $(O)/obj/$(1)/$(subst ../,up/,$(2)).o
objects = $(foreach f,$(2),$(call object,$(1),$(f)))

# $(call text-file,path,text): a file that is newer only when its text has changed
define text-file
$(1): FORCE
	@mkdir -p $$(@D)
	@printf '%s\n' '$(2)' | cmp -s - $$@ || printf '%s\n' '$(2)' > $$@
endef

# $(call compile-set,image,folder/,files,command): objects of one image
define compile-one
deps += $(patsubst %.o,%.d,$(call object,$(1),$(3)))
units += $(2)$(3)|$(call object,$(1),$(3))|command-$(1)
$(call object,$(1),$(3)): $(2)$(3) $(O)/obj/$(1)/flags
	$$(call say,CC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(command-$(1)) -MMD -MP -MF $$(@:.o=.d) -c -o $$@ $$<
endef
define compile-set
command-$(1) := $(4)
$(call text-file,$(O)/obj/$(1)/flags,$(4))
$(call text-file,$(O)/obj/$(1)/list,$(3))
$(foreach f,$(3),$(eval $(call compile-one,$(1),$(2),$(f))))
endef

# $(call user-image,image,elf,files,link address,C library): one program with its start-up code
define user-image
$(2): $(call objects,$(1),$(3)) $(libraries-$(5)) libl4/user.ld build.mk $(O)/obj/$(1)/list
	$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$(LD) $(ldflags) --defsym=image_base=$(4) -T libl4/user.ld -o $$@ \
	    $(call objects,$(1),$(3)) --start-group $(libraries-$(5)) --end-group
endef

# $(call program,image,folder,elf,C library): a folder that is a program (B1)
define program
sources :=
cflags :=
libc := $(or $(4),musl)
-include $(2)/build.mk
sources := $$(or $$(sources),$$(patsubst $(2)/%,%,$$(sort $$(wildcard $(2)/*.c $(2)/*.S))))
$$(if $$(sources),,$$(error $(2) holds no program: no *.c, no list `sources' in build.mk))
$$(eval $$(call compile-set,$(1),$(2)/,$$(sources),\
    $$(CC) $$(cflags-$$(libc)) $(if $(filter apps/%,$(1)),,-Werror -Itests/guest) -I$(2) \
    $$(cflags)))
$$(eval $$(call user-image,$(1),$(3),$$(sources),0x400000,$$(libc)))
endef

strip-slash = $(patsubst %/,%,$(1))
base-name = $(notdir $(call strip-slash,$(1)))

# ---------------------------------------------------------------- kernel

images-y :=
ifneq ($(kernel-y),)
$(eval $(call compile-set,kernel,kernel/,$(kernel-y),\
    $(CC) $(cflags-kernel) $(san-both) $(san-kasan)))
$(eval $(call compile-set,kernel-small,kernel/,$(kernel-small-y),\
    $(CC) $(cflags-kernel) -Os $(san-both) $(san-kasan)))
$(eval $(call compile-set,kernel-early,kernel/,$(kernel-early-y),\
    $(CC) $(cflags-kernel) -Os $(san-both)))
$(O)/kernel.elf: $(call objects,kernel,$(kernel-y)) $(call objects,kernel-small,$(kernel-small-y)) \
    $(call objects,kernel-early,$(kernel-early-y)) kernel/x86/kernel.ld kernel/x86/order.txt \
    build.mk $(foreach s,kernel kernel-small kernel-early,$(O)/obj/$(s)/list)
	$(call say,LINK,$@)
	$(Q)$(LD) $(ldflags) $(ldflags-kernel) --gc-sections --symbol-ordering-file=kernel/x86/order.txt \
	    --no-warn-symbol-ordering -T kernel/x86/kernel.ld -e boot_start -o $@ $(filter %.o,$^)
# GRUB wants a virtual entry address and translates it; QEMU's -kernel (multiboot 1) wants a 32-bit
# file and jumps to the entry as it stands, so there it is the physical one.
$(O)/kernel.elf32: $(O)/kernel.elf
	$(call say,OBJCOPY,$@)
	$(Q)$(OBJCOPY) --strip-debug --change-start=0x80000000 -O elf32-i386 $< $@
images-y += $(O)/kernel.elf $(O)/kernel.elf32
endif

# ---------------------------------------------------------------- libl4 and the servers

# $(call library,name,command)
define library
$$(eval $$(call compile-set,$(1),libl4/,$$($(1)-y),$(2)))
$(O)/$(1).a: $$(call objects,$(1),$$($(1)-y)) $(O)/obj/$(1)/list
	$$(call say,AR,$$@)
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && $(AR) rcs $$@ $$(filter %.o,$$^)
endef
$(eval $(call library,libl4,$(CC) $(cflags-lean)))
$(eval $(call library,small,$(CC) $(cflags-lean)))
$(call objects,small,$(small-float)): command-small := $(CC) $(cflags-user)
$(eval $(call library,linux,$(CC) $(cflags-musl) -mgeneral-regs-only -D_GNU_SOURCE -Werror))

# $(call server,image,folder/,link address)
define server
ifneq ($$($(1)-y),)
$$(eval $$(call compile-set,$(1),$(2),$$($(1)-y),$$(CC) $$(cflags-lean) -I$(2:/=)))
$$(eval $$(call user-image,$(1),$$(O)/$(1).elf,$$($(1)-y),$(3),small))
images-y += $$(O)/$(1).elf
endif
endef
$(eval $(call server,rm,libl4/,0x70000000))
$(eval $(call server,sigma0,sigma0/,0x300000))
$(eval $(call server,roottask,roottask/,0x400000))
$(eval $(call server,anon,pagers/,0x400000))
$(eval $(call server,rom,pagers/,0x400000))
$(eval $(call server,managed,pagers/,0x400000))
$(eval $(call server,phys,pagers/,0x400000))

# ---------------------------------------------------------------- programs

folders-with-code = $(call strip-slash,$(foreach d,$(sort $(wildcard $(1)/*/)),\
    $(if $(wildcard $(call strip-slash,$(d))/*.c $(call strip-slash,$(d))/build.mk),$(d))))

examples := $(call folders-with-code,examples)
$(foreach d,$(examples),$(eval $(call program,examples/$(call base-name,$(d)),$(d),\
    $(O)/$(call base-name,$(d)).elf)))
images-y += $(foreach d,$(examples),$(O)/$(call base-name,$(d)).elf)

# A folder in tests/guest is a program, and so is each folder inside it.
guest-tests := $(call folders-with-code,tests/guest)
guest-parts := $(foreach d,$(sort $(call strip-slash,$(wildcard tests/guest/*/))),\
    $(call folders-with-code,$(d)))
guest-elf = $(O)/guest/$(patsubst tests/guest/%,%,$(1)).elf
$(foreach d,$(guest-tests),$(eval $(call program,guest/$(call base-name,$(d))/self,$(d),\
    $(O)/guest/$(call base-name,$(d))/$(call base-name,$(d)).elf,\
    $(if $(wildcard $(d)/boot.cfg),musl,small))))
$(foreach d,$(guest-parts),$(eval $(call program,$(patsubst tests/%,%,$(d)),$(d),\
    $(call guest-elf,$(d)))))
guest: images $(foreach d,$(guest-tests),\
    $(O)/guest/$(call base-name,$(d))/$(call base-name,$(d)).elf) \
    $(foreach d,$(guest-parts),$(call guest-elf,$(d)))

# A folder in tests/bench is a program of the benchmark; count.so counts inside QEMU.
bench-folders := $(call folders-with-code,tests/bench)
bench-elf = $(O)/bench/$(call base-name,$(1)).elf
$(foreach d,$(bench-folders),$(eval $(call program,bench/$(call base-name,$(d)),$(d),\
    $(call bench-elf,$(d)),$(if $(wildcard $(d)/boot.cfg),musl,small))))
$(O)/bench/%.so: tools/plugin/%.c tools/plugin/qemu.h tools/plugin/table.h
	$(call say,PLUGIN,$@)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu11 -O2 -Wall -Wextra -Werror -fPIC -shared -o $@ $<
bench-images: images $(foreach d,$(bench-folders),$(call bench-elf,$(d))) $(O)/bench/count.so

# Programs outside the tree: APPS="dir ..." and ROOT=dir.
app-folders := $(sort $(call strip-slash,$(abspath $(APPS) $(ROOT))))
app-names := $(foreach d,$(app-folders),$(call base-name,$(d)))
ifneq ($(words $(app-names)),$(words $(sort $(app-names))))
$(error two folders in APPS have the same name: $(app-names))
endif
$(foreach d,$(app-folders),$(if $(wildcard $(d)/.),,$(error no such folder: $(d))))
$(foreach d,$(app-folders),$(eval $(call program,apps/$(call base-name,$(d)),$(d),\
    $(O)/apps/$(call base-name,$(d)).elf,$(if $(filter $(d),$(abspath $(ROOT))),small))))
app-images := $(foreach n,$(app-names),$(O)/apps/$(n).elf)
apps: images $(app-images)

# Input of the demonstration.
$(O)/input.dat: tools/mkrecords
	$(call say,DATA,$@)
	@mkdir -p $(@D)
	$(Q)$(PYTHON) tools/mkrecords --out $@
images-y += $(O)/input.dat

images: $(images-y)

# ---------------------------------------------------------------- host tests
#
# Kernel modules are compiled unchanged: $(O)/host/kernel is kernel/ with x86/ replaced by
# tests/host/x86, so "x86/..." means the shadow wherever it is included from.

host-links := $(patsubst kernel/%,$(O)/host/kernel/%,\
    $(wildcard kernel/*.c kernel/*.h kernel/boot/*))
$(host-links): $(O)/host/kernel/%: | kernel/%
	@mkdir -p $(@D)
	@ln -sfn $(CURDIR)/kernel/$* $@
$(O)/host/kernel/x86:
	@mkdir -p $(@D)
	@ln -sfn $(CURDIR)/tests/host/x86 $@

define host-compile
deps += $(patsubst %.o,%.d,$(call object,host/$(1),$(2)))
units += $(3)|$(call object,host/$(1),$(2))|command-host/$(1)
$(call object,host/$(1),$(2)): $(3) $(O)/obj/host/$(1)/flags | $(host-links) $(O)/host/kernel/x86
	$$(call say,HOSTCC,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(command-host/$(1)) -MMD -MP -MF $$(@:.o=.d) -c -o $$@ $$<
endef
define host-set
command-host/$(1) := $(HOSTCC) $(cflags-host) $($(1)-cflags)
$(call text-file,$(O)/obj/host/$(1)/flags,$(HOSTCC) $(cflags-host) $($(1)-cflags))
$(foreach f,$($(1)-y),$(eval $(call host-compile,$(1),$(f),$(strip \
    $(patsubst ../../kernel/%,$(O)/host/kernel/%,$(if $(filter ../../%,$(f)),\
    $(if $(filter ../../kernel/%,$(f)),$(f),$(patsubst ../../%,%,$(f))),tests/host/$(f)))))))
endef
host-objects = $(call objects,host/$(1),$($(1)-y)) \
    $(foreach s,$($(1)-with),$(call objects,host/$(s),$($(s)-y)))
define host-test
$(call host-set,$(1))
$(call text-file,$(O)/obj/host/$(1)/list,$(call host-objects,$(1)))
$(O)/host/$(1): $(call host-objects,$(1)) $(O)/obj/host/$(1)/list
	$$(call say,HOSTLD,$$@)
	@mkdir -p $$(@D)
	$$(Q)$(HOSTCC) $(cflags-host) -o $$@ $$(filter %.o,$$^) $($(1)-ldflags)
$(O)/host/$(1).passed: $(O)/host/$(1)
	$$(call say,CHECK,$(1))
	$$(Q)$$< && touch $$@
endef
$(foreach s,$(host-sets),$(eval $(call host-set,$(s))))
$(foreach t,$(host-y) fuzz_random,$(eval $(call host-test,$(t))))
host-tests: $(foreach t,$(host-y),$(O)/host/$(t))
print-host-tests:
	@printf '%s\n' $(host-y)

# ---------------------------------------------------------------- checks

tidy:
	$(call say,TIDY,the house numbers)
	$(Q)$(PYTHON) tools/tidy
abi-command = $(PYTHON) tools/abi_golden --kernel '$(CC) $(cflags-kernel)' \
    --user '$(CC) $(cflags-user)' --golden tests/abi/golden.txt
abi:
	$(call say,ABI,tests/abi/golden.txt)
	$(Q)$(abi-command)
abi-golden:
	$(Q)$(abi-command) --write

stack: $(O)/kernel.elf
	$(call say,STACK,$<)
	$(Q)$(PYTHON) tools/stackdepth $<

# Bugs of others, as patches of this tree (tests/test_seeded.py): none may rot.
seeded:
	$(call say,APPLY,tests/seeded)
	$(Q)for p in tests/seeded/*.patch; do git apply --check $$p || \
	    { echo "$$p does not apply any more: make it anew (docs/tests.md)"; exit 1; }; done

check: $(foreach t,$(host-y),$(O)/host/$(t).passed) tidy abi stack seeded

test:
	$(Q)$(PYTHON) tools/test.py $(TESTFLAGS)

# Each target of the list is a long test.
long-y := long-san long-fuzz long-model long-sweep
long-y += long-states long-random long-seeded long-kills long-mutate
.PHONY: $(long-y)
test-long: $(long-y)
# Every guest test on the kernel with sanitizers.
long-san:
	$(Q)QUIRE_LONG=1 $(PYTHON) tools/test.py tests/test_san.py $(TESTFLAGS)
# A hundred million hostile system calls on each of three kernels.
long-fuzz:
	$(Q)QUIRE_LONG=1 $(PYTHON) tools/test.py tests/test_fuzz.py $(TESTFLAGS)
# Random sequences beside the model, 10^7 steps booted on each of two kernels.
long-model:
	$(Q)QUIRE_LONG=1 $(PYTHON) tools/test.py tests/test_modeldriver.py $(TESTFLAGS)
# An interrupt at 10^5 places of the kernel's long operations.
long-sweep:
	$(Q)QUIRE_LONG=1 $(PYTHON) tools/test.py tests/test_sweep.py $(TESTFLAGS)
# A thousand deaths of a dataspace manager.
long-kills:
	$(Q)QUIRE_LONG=1 $(PYTHON) tools/test.py tests/test_kills.py $(TESTFLAGS)
long-seeded:
	$(Q)QUIRE_LONG=1 $(PYTHON) tools/test.py tests/test_seeded.py $(TESTFLAGS)

# Packages of `./quire setup --all`.
prove:
	$(Q)$(PYTHON) tools/prove
.PHONY: coverage mutate analyze
coverage: images
	$(Q)$(PYTHON) tools/coverage --build $(O) $(COVERAGEFLAGS)
# The mutants of a sample; in the long tests all of them: many hours.
MUTATE ?= 140
long-mutate:
	$(Q)$(PYTHON) tools/mutate --build $(O) --number 0
mutate:
	$(Q)$(PYTHON) tools/mutate --build $(O) --number $(MUTATE) $(MUTATEFLAGS)
analyze:
	$(Q)$(PYTHON) tools/analyze

# Random sequences of operations from libFuzzer; what fails is build/fuzz/crash-*, which
# build/host/test_random replays, and tools/replay on the booted kernel.
FUZZFLAGS ?= -max_total_time=60
fuzz-model: $(O)/host/fuzz_random
	@mkdir -p $(O)/fuzz/corpus
	$(Q)$< -max_len=2400 -len_control=0 -artifact_prefix=$(O)/fuzz/ -print_final_stats=1 $(FUZZFLAGS) \
	    $(O)/fuzz/corpus

# All states of larger universes than make check and make test look at; ten million random
# operations.
long-states: $(O)/host/test_map_states $(O)/host/test_super_states
	$(Q)$(O)/host/test_map_states long
	$(Q)$(O)/host/test_super_states long
long-random: $(O)/host/test_random
	$(Q)$< 10000000

model:
	$(Q)$(PYTHON) tools/model --build $(O) $(MODELFLAGS)

# ---------------------------------------------------------------- boot

# Words that tools/run.py understands, from the variables of the command line.
run-flags = --build $(O) $(if $(SCRIPT),--script '$(SCRIPT)') \
    $(if $(ROOT),--root $(O)/apps/$(call base-name,$(abspath $(ROOT))).elf) \
    $(foreach n,$(APPS),--app $(O)/apps/$(call base-name,$(abspath $(n))).elf) \
    $(foreach m,$(MODULES),--module '$(m)') \
    $(if $(CMDLINE),--cmdline '$(CMDLINE)') $(if $(MEM),--mem $(MEM)) $(if $(CPU),--cpu $(CPU)) \
    $(if $(TIMEOUT),--timeout $(TIMEOUT)) $(if $(HEADLESS),--headless) $(RUNFLAGS)
run: guest-run
	@$(end-with $(file <$(O)/run.status))
guest-run: apps
	$(Q)status=0; $(PYTHON) tools/run.py $(run-flags) || status=$$?; echo $$status >$(O)/run.status
# The object that brings $(end-with): make itself cannot end with the guest's status.
ifneq ($(filter run,$(MAKECMDGOALS)),)
-load $(O)/make/status.so
endif
$(O)/make/status.so: tools/make/status.c
	$(call say,HOSTLD,$@)
	@mkdir -p $(@D)
	$(Q)$(HOSTCC) -std=gnu11 -O2 -Wall -Wextra -Werror -fPIC -shared -o $@ $<

iso: $(O)/quire.iso
$(O)/quire.iso: apps FORCE
	$(call say,ISO,$@)
	$(Q)$(PYTHON) tools/run.py $(run-flags) --make-iso $@

# ---------------------------------------------------------------- benchmark

# Measured without checks, in a folder of its own.
bench-run = $(MAKE) --no-print-directory O=$(O)/release MODE=release bench-images && \
    $(PYTHON) tools/bench --build $(O)/release --json $(O)/bench.json $(BENCHFLAGS)
bench:
	$(Q)+$(bench-run)
bench-compare:
	$(Q)$(if $(BASE),,echo 'make bench-compare BASE=file: a bench.json to compare with'; exit 2)
	$(Q)+$(bench-run) --compare '$(BASE)'
profile:
	$(Q)+$(MAKE) --no-print-directory O=$(O)/release MODE=release bench-images
	$(Q)$(PYTHON) tools/profile --build $(O)/release $(PROFILEFLAGS)

# ---------------------------------------------------------------- the rest

json-unit = {"directory": "$(CURDIR)", "file": "$(word 1,$(1))", "output": "$(word 2,$(1))", \
"command": "$($(word 3,$(1))) -c -o $(word 2,$(1)) $(word 1,$(1))"}
comma := ,
define newline

endef
compile_commands.json: $(O)/compile_commands.json
# By way of a file of its own: tests let two makes run at once.
json-draft = $@.$(shell echo $$PPID)
$(O)/compile_commands.json: FORCE
	$(shell mkdir -p $(@D))$(file >$(json-draft),[$(foreach u,$(units),\
	    $(call json-unit,$(subst |, ,$(u)))$(comma)$(newline)){}])
	@$(PYTHON) -c 'import json, os; p = "$(json-draft)"; \
e = [x for x in json.load(open(p)) if x]; json.dump(e, open(p, "w"), indent=1); os.replace(p, "$@")'
images: $(O)/compile_commands.json

# A program's folder may move or go while its .d file remembers the old place: then it is compiled
# anew, from where it is now, instead of stopping make.
/%.c: ;
/%.S: ;

clean:
	rm -rf $(O)

-include $(deps)
