# build.mk - the tests of memory mappings, with what all tests of the bare kernel share
sources := main.c pool.c rules.c items.c over.c superpages.c unmap.c grant.c quota.c \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness
