# Dataspace managers: a file or two each, on the framework. The framework is part of libl4, so that
# a manager outside the tree is one C file; libl4.a gives a program only what it uses.
libl4-y += ../pagers/framework.c ../pagers/copy.c ../pagers/objects.c ../pagers/charge.c
libl4-y += ../pagers/copier.c ../pagers/source.c
anon-y := anon.c pages.c cow.c zero.c ram.c frames.c pageindex.c
rom-y := rom.c
managed-y := managed.c managed_fault.c ../libl4/src/rm/region.c
libl4-y += src/re_managed.c src/re_phys.c
phys-y := phys.c
