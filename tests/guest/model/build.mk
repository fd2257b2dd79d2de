# build.mk - random operations beside the specification, in tasks that look for themselves
sources := main.c driver.c universe.c actor.c ../../../kernel/mapdb_spec.c \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness -Ikernel -DSPEC_SPACES=4 -DSPEC_PAGES=16 -DSPEC_SUPER=8
