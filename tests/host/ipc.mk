# ipc.mk - host tests of the kernel as a whole: messages, capabilities, memory mappings
#
# All of the kernel but what only a machine can do: machine.c and x86/ in this folder stand for it.
kernel-on-host := machine.c host.c ../../libl4/common/buddy.c ../../libl4/common/fpage.c \
    $(addprefix ../../kernel/,check.c $(filter-out main.c kip.c klog.c check.c nocheck.c boot/% \
    x86/% ../%,$(kernel-y) $(kernel-small-y)))
host-y += test_ipc test_items test_calls test_factory test_caps test_map test_map_edges test_split
# syscall() is also a function of the C library; registers that fxrstor loads are not the test's.
kernel-on-host-cflags := -Dsyscall=kernel_syscall -mgeneral-regs-only
test_ipc-y := test_ipc.c ipc_model.c $(kernel-on-host)
test_ipc-cflags := $(kernel-on-host-cflags)
test_items-y := test_items.c $(kernel-on-host)
test_items-cflags := $(kernel-on-host-cflags)
test_calls-y := test_calls.c $(kernel-on-host)
test_calls-cflags := $(kernel-on-host-cflags)
test_factory-y := test_factory.c $(kernel-on-host)
test_factory-cflags := $(kernel-on-host-cflags)
test_caps-y := test_caps.c $(kernel-on-host)
test_caps-cflags := $(kernel-on-host-cflags)
test_map-y := test_map.c $(kernel-on-host)
test_map-cflags := $(kernel-on-host-cflags)
test_map_edges-y := test_map_edges.c $(kernel-on-host)
test_map_edges-cflags := $(kernel-on-host-cflags)
test_split-y := test_split.c $(kernel-on-host)
test_split-cflags := $(kernel-on-host-cflags) -DQUIRE_STEPS=1
