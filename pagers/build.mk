# Dataspace managers: a file or two each, on the framework. The framework is part of libl4, so that
# a manager outside the tree is one C file; libl4.a gives a program only what it uses.
libl4-y += ../pagers/framework.c ../pagers/objects.c ../pagers/source.c
anon-y := anon.c frames.c pageindex.c
rom-y := rom.c
