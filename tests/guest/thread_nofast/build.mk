# build.mk - the tests of threads under control once more
sources := main.c $(addprefix ../thread/,aliens.c trigger.c state.c fpu.c vectors.c) \
    ../fault/seen.c $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness -Itests/guest/fault -Itests/guest/thread
