# The root task's list with another super.c.
sources := super.c $(addprefix ../../../../roottask/,$(filter-out super.c,$(roottask-y)))
cflags := -Iroottask
libc := small
