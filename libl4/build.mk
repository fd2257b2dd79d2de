# build.mk - the libraries of programs: every file is one member, linked only where it is used
#
# libl4.a: L4 itself. small.a: a small C library, for servers and bare programs. linux.a: what
# serves musl's system calls, for ordinary programs.
libl4-y += src/crt0.S src/bootstack.S src/start.c src/end.c src/err.c src/cap_alloc.c src/kumem.c \
    src/log.c src/namespace.c src/parent.c src/starter.c src/server.c \
    src/sigma0.c src/ram.c src/stack.c
small-y := src/exit.c src/assert.c src/string.c src/stdlib.c src/vprintf.c src/snprintf.c \
    src/stdio.c src/thread.c
linux-y := src/linux/entry.S src/linux/start.c src/linux/bare.c src/linux/calls.c \
    src/linux/files.c src/linux/memory.c src/linux/time.c src/linux/threads.c src/linux/adopt.c \
    src/linux/ahead.c \
    src/thread.c src/pages.c src/heap.c src/arena.c src/malloc.c
# Those of small.a that take floating-point arguments; the others do without the FPU.
small-float := src/vprintf.c src/snprintf.c src/stdio.c
