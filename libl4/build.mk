# build.mk - what is in libl4.a: every file is one member, linked only where it is used
libl4-y += src/crt0.S src/bootstack.S src/start.c src/exit.c src/assert.c src/err.c \
    src/cap_alloc.c src/kumem.c src/log.c src/namespace.c src/parent.c src/starter.c src/server.c \
    src/sigma0.c src/thread.c src/string.c src/stdlib.c src/qsort.c src/vprintf.c \
    src/snprintf.c src/stdio.c src/heap.c src/malloc.c
