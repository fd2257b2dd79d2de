# build.mk - random sequences beside the model, in tasks that look for themselves
sources := main.c driver.c world.c actor.c ../../../kernel/mapdb_spec.c \
    $(addprefix ../../random/,model.c objects.c cost.c tell.c) \
    $(addprefix ../../harness/,run.c child.c job.c probe.c bystander.c)
cflags := -Itests/harness -Itests -Ikernel -include tests/random/model.h
