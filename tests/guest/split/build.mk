# build.mk - memory taken back in parts, and by several at once
sources := main.c parts.c meeting.c \
    ../map/pool.c $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness -Itests/guest/map
