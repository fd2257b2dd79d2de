/*
 * unmap.pml - two revokes and somebody who maps on, interrupting each other at every step
 *
 * The tree of the mapping database with N nodes, node 0 the root that stays. Each revoke takes a
 * node of its choice with everything below it; between any two of its steps the other one may
 * run, or somebody may make a mapping from any that is not cut, in memory that was freed a
 * moment ago. Whenever a revoke returns, nothing that stemmed from its node is left (stem[] is
 * what the nodes remember for us), and nothing else has been taken.
 *
 * What kernel/walk.c does is the model without options. With one of these it must fail:
 *
 *   NAIVE   the place in the tree is kept over a preemption, and nobody moves it when the node
 *           there is taken away
 *   UNCUT   a mapping is cut when its children have gone, in the next step
 *   LIFT    children of a cut mapping move up to the node that the revoke began with, and the
 *           mapping itself goes at once
 */
#ifndef N
#define N 5
#endif
#ifndef MAPS
#define MAPS 3
#endif
#define NONE 255
#define GIVEN (N - 1) /* nodes in the beginning */

bool used[N], cut[N];
byte parent[N], first[N], next[N];
byte stem[N]; /* bit k: it stems from, or is, what revoke k is to take away */
byte root[2], top[2];
#ifdef UNCUT
bool ready[2]; /* the node at top has no children, as we saw a step ago */
#endif
byte maps;
byte finished;

/* Enter c as the first child of p. */
inline link(c, p)
{
    parent[c] = p;
    next[c] = first[p];
    first[p] = c
}

inline unlink(c)
{
    if
    :: first[parent[c]] == c -> first[parent[c]] = next[c]
    :: else ->
        q = first[parent[c]];
        do
        :: next[q] == c -> break
        :: else -> q = next[q]
        od;
        next[q] = next[c];
        q = 0
    fi
}

/* mapdb_remove(): the walks that stand there move on. */
inline remove(c)
{
    assert(used[c] && (stem[c] & (1 << k))); /* takes what it should, and nothing else */
    assert(first[c] == NONE);
    unlink(c);
    used[c] = false;
    cut[c] = false;
    stem[c] = 0;
#ifndef NAIVE
    if
    :: root[1 - k] == c -> root[1 - k] = NONE
    :: root[1 - k] != c && top[1 - k] == c -> top[1 - k] = parent[c]
    :: else
    fi;
#endif
    parent[c] = NONE;
    next[c] = NONE
}

inline step()
{
    c = first[top[k]];
    if
#ifdef UNCUT
    :: c == NONE && !ready[k] -> ready[k] = true
    :: ready[k] ->
        ready[k] = false;
        c = top[k];
        if
        :: c == root[k] -> root[k] = NONE
        :: else -> top[k] = parent[c]
        fi;
        remove(c)
    :: else ->
        top[k] = c
#else
    :: c != NONE ->
        cut[c] = true;
#ifdef LIFT
        if
        :: first[c] != NONE ->
            g = first[c];
            unlink(g);
            link(g, root[k])
        :: else -> remove(c)
        fi;
        g = 0
#else
        top[k] = c
#endif
    :: c == NONE && top[k] != root[k] ->
        c = top[k];
        top[k] = parent[c];
        remove(c)
    :: else ->
        c = root[k];
        root[k] = NONE;
        remove(c)
#endif
    fi;
    c = 0
}

/* Whatever is at or below t belongs to what revoke k takes away. */
inline begin(t)
{
    root[k] = t;
    top[k] = t;
#ifndef UNCUT
    cut[t] = true;
#endif
    for (i : 1 .. N - 1) {
        c = i;
        do
        :: !used[i] || c == 0 -> break
        :: used[i] && c == t -> stem[i] = stem[i] | (1 << k); break
        :: else -> c = parent[c]
        od
    }
    i = 0;
    c = 0
}

proctype revoke(byte k)
{
    byte i, c, q, g, t;

    atomic {
        select(t : 1 .. N - 1);
        if
        :: used[t] -> begin(t)
        :: else -> root[k] = NONE /* a hole */
        fi;
        t = 0
    }
    do
    :: atomic { root[k] != NONE -> step() }
    :: atomic { root[k] == NONE -> break }
    od;
    atomic {
        for (i : 1 .. N - 1) {
            assert(!used[i] || !(stem[i] & (1 << k)))
        }
        finished++
    }
}

proctype somebody()
{
    byte x, y;

    do
    :: atomic {
            maps < MAPS ->
            select(x : 0 .. N - 1);
            select(y : 1 .. N - 1);
            if
            :: used[x] && !cut[x] && !used[y] ->
                used[y] = true;
                stem[y] = stem[x];
                link(y, x)
            :: else
            fi;
            maps++;
            x = 0;
            y = 0
        }
    :: break
    od
}

init {
    byte i, p;

    atomic {
        for (i : 0 .. N - 1) {
            parent[i] = NONE;
            first[i] = NONE;
            next[i] = NONE
        }
        root[0] = NONE;
        root[1] = NONE;
        used[0] = true;
        for (i : 1 .. GIVEN - 1) {
            select(p : 0 .. i - 1);
            used[i] = true;
            link(i, p)
        }
        run revoke(0);
        run revoke(1);
        run somebody()
    }
}

/* Both come to an end, however they are interrupted. */
ltl ends { <> (finished == 2) }
