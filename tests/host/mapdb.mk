# mapdb.mk - host tests of what the kernel's memory stands on
host-y += test_boot
test_boot-y := test_boot.c $(addprefix ../../kernel/boot/,ranges.c plan.c image.c)
host-y += test_buddy test_fpage test_kmem test_mapdb test_mapdb_parts test_ptab
test_buddy-y := test_buddy.c ../../libl4/common/buddy.c ../../libl4/common/buddy_spec.c
test_buddy-cflags := -DSPEC_FRAMES=4096
test_fpage-y := test_fpage.c ../../libl4/common/fpage.c
test_kmem-y := test_kmem.c host.c ../../kernel/kmem.c ../../libl4/common/buddy.c
test_mapdb-y := test_mapdb.c host.c ../../kernel/mapdb.c ../../kernel/kmem.c \
    ../../libl4/common/buddy.c
test_mapdb_parts-y := test_mapdb_parts.c host.c ../../kernel/mapdb.c ../../kernel/kmem.c \
    ../../libl4/common/buddy.c
test_ptab-y := test_ptab.c host.c ../../kernel/ptab.c ../../kernel/kmem.c ../../libl4/common/buddy.c
