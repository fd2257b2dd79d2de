kernel-y := main.c kip.c klog.c kmem.c mapdb.c ptab.c map.c map_memory.c unmap_memory.c map_caps.c map_io.c object.c \
    task.c thread.c gate.c irq.c semaphore.c icu.c factory.c devices.c ipc.c msg.c fault.c fastpath.c sched.c timeout.c \
    trace.c boot/multiboot.c boot/ranges.c boot/plan.c boot/image.c \
    x86/boot.S x86/entry.S x86/cpu.c x86/mmu.c x86/serial.c x86/timer.c x86/pic.c x86/ioport.c x86/trap.c x86/string.c \
    ../libl4/common/buddy.c ../libl4/common/fpage.c
