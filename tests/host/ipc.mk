# ipc.mk - host tests of the kernel as a whole: messages, capabilities, memory mappings
#
# All of the kernel but what only a machine can do: machine.c and x86/ in this folder stand for it.
kernel-on-host := machine.c host.c ../../libl4/common/buddy.c ../../libl4/common/fpage.c \
    $(addprefix ../../kernel/,check.c $(filter-out main.c kip.c klog.c check.c nocheck.c boot/% \
    x86/% ../%,$(kernel-y) $(kernel-small-y)))
kernel-tests := test_ipc test_items test_sends test_calls test_factory test_caps test_map \
    test_map_edges test_map_paths
host-y += $(kernel-tests) test_split
# syscall() is also a function of the C library; registers that fxrstor loads are not the test's.
kernel-on-host-cflags := -Dsyscall=kernel_syscall -mgeneral-regs-only
# Compiled once for all of these.
host-sets += kernel_on_host
kernel_on_host-y := $(kernel-on-host)
kernel_on_host-cflags := $(kernel-on-host-cflags)
$(foreach t,$(kernel-tests),$(eval $(t)-y := $(t).c)\
    $(eval $(t)-with := kernel_on_host)$(eval $(t)-cflags := $(kernel-on-host-cflags)))
test_ipc-y += ipc_model.c
test_split-y := test_split.c $(kernel-on-host)
test_split-cflags := $(kernel-on-host-cflags) -DQUIRE_STEPS=1
