# build.mk - the tests of IPC once more
sources := main.c $(addprefix ../ipc/,words.c operations.c errors.c timeouts.c order.c standin.c) \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness -Itests/guest/ipc
