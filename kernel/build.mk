# What runs often, compiled for speed (-O2).
kernel-y := kmem.c mapdb.c ptab.c map.c map_memory.c unmap_memory.c map_caps.c \
    task.c ipc.c msg.c fault.c fastpath.c sched.c \
    x86/boot.S x86/entry.S x86/trap.c x86/string.c \
    ../libl4/common/fpage.c

# What runs seldom, compiled for size (-Os): the text of a kernel is a promise, too.
kernel-small-y := object.c thread.c gate.c irq.c semaphore.c icu.c factory.c \
    devices.c timeout.c split.c walk.c map_io.c trace.c \
    $(if $(filter release,$(MODE)),nocheck.c,check.c) \
    ../libl4/common/buddy.c

# The same, but never looked at by kasan: what runs before there is shadow memory, touches user
# memory, or is part of a report.
kernel-early-y := main.c kip.c klog.c \
    boot/multiboot.c boot/ranges.c boot/plan.c boot/image.c \
    x86/cpu.c x86/mmu.c x86/serial.c x86/timer.c x86/pic.c x86/ioport.c

# The run times of the sanitizers.
kernel-early-y += $(if $(san-ubsan),../tests/san/ubsan.c) $(if $(san-kasan),../tests/san/kasan.c)
kernel-small-y += $(if $(san-ubsan)$(san-kasan),../tests/san/seed.c)
