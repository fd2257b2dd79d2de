# ipc.mk - host tests of the kernel as a whole: messages, capabilities, memory mappings
kernel-on-host := machine.c host.c $(addprefix ../../kernel/,ipc.c fastpath.c msg.c sched.c \
    timeout.c fault.c object.c gate.c thread.c factory.c task.c devices.c trace.c map.c map_caps.c map_io.c \
    irq.c semaphore.c icu.c \
    map_memory.c unmap_memory.c ptab.c mapdb.c kmem.c) ../../libl4/common/buddy.c \
    ../../libl4/common/fpage.c
host-y += test_ipc test_caps test_map
# syscall() is also a function of the C library; registers that fxrstor loads are not the test's.
kernel-on-host-cflags := -Dsyscall=kernel_syscall -mgeneral-regs-only
test_ipc-y := test_ipc.c ipc_model.c $(kernel-on-host)
test_ipc-cflags := $(kernel-on-host-cflags)
test_caps-y := test_caps.c $(kernel-on-host)
test_caps-cflags := $(kernel-on-host-cflags)
test_map-y := test_map.c $(kernel-on-host)
test_map-cflags := $(kernel-on-host-cflags)
