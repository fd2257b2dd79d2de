# What runs often, compiled for speed (-O2).
kernel-y := kmem.c mapdb.c ptab.c map.c map_memory.c unmap_memory.c map_caps.c \
    task.c ipc.c msg.c fault.c fastpath.c sched.c \
    x86/boot.S x86/entry.S x86/trap.c x86/string.c \
    ../libl4/common/fpage.c

# What runs seldom, compiled for size (-Os): the text of a kernel is a promise, too.
kernel-small-y := main.c kip.c klog.c object.c thread.c gate.c irq.c semaphore.c icu.c factory.c \
    devices.c timeout.c split.c walk.c map_io.c trace.c \
    $(if $(filter debug,$(MODE)),check.c,nocheck.c) \
    boot/multiboot.c boot/ranges.c boot/plan.c boot/image.c \
    x86/cpu.c x86/mmu.c x86/serial.c x86/timer.c x86/pic.c x86/ioport.c \
    ../libl4/common/buddy.c
