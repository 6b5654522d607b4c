/** Planted bugs of directories: names, links, loops, and inodes without a name. */
import type { Mutant } from "#simulations/mutants/Mutant.ts"

const evolve = "domain/Evolve.ts"
const rename = "domain/operations/Rename.ts"
const access = "domain/Access.ts"
const entries = "domain/state/pages/EntryTree.ts"
const scenario = "dense"

export const names: ReadonlyArray<Mutant> = [
  {
    name: "open-inode-dropped",
    about: "An inode goes with its last name though somebody has it open.",
    file: evolve,
    find: "inode.nlink > 0 || inode.opens > 0 ||",
    replace: "inode.nlink > 0 ||",
    scenario
  },
  {
    name: "released-inode-kept",
    about: "An inode without a name stays after its last handle was released.",
    file: evolve,
    find: "  const inode = state.expect(open.inode)\n  inode.opens--\n  dropIfUnused(state, inode)\n",
    replace: "  const inode = state.expect(open.inode)\n  inode.opens--\n",
    scenario
  },
  {
    name: "locked-inode-dropped",
    about: "An inode goes with its last name though somebody holds a lock of it.",
    file: evolve,
    find: "|| inode.locks.length > 0 || inode.waiters.length > 0) return",
    replace: "|| inode.waiters.length > 0) return",
    scenario
  },
  {
    name: "rename-doubles-the-name",
    about: "A renamed entry keeps its old name besides the new one.",
    file: evolve,
    find: "  entriesOf(from, state).delete(event.fromName)\n",
    replace: "  if (from === to) entriesOf(from, state).delete(event.fromName)\n",
    scenario
  },
  {
    name: "rename-loses-the-name",
    about: "A rename within one directory removes the entry that it has just made.",
    file: evolve,
    find: "  entriesOf(from, state).delete(event.fromName)\n  entriesOf(to, state).set(event.toName, event.inode)\n",
    replace: "  entriesOf(to, state).set(event.toName, event.inode)\n" +
      "  entriesOf(from, state).delete(event.fromName === event.toName ? event.fromName : event.toName)\n",
    scenario
  },
  {
    name: "replaced-inode-keeps-its-link",
    about: "What a rename replaces keeps its link count, and stays for ever.",
    file: evolve,
    find: "  if (event.replaced !== 0) unlinked(state, to, state.expect(event.replaced))\n",
    replace: "",
    scenario: "links"
  },
  {
    name: "rename-between-links-of-one-file",
    about: "A rename from one name of a file to another removes a link that is still there.",
    file: rename,
    find: "    if (moved.number === target?.number) return reply(undefined)\n",
    replace: "    if (moved.number === target?.number && fromName === toName) return reply(undefined)\n",
    scenario: "links"
  },
  {
    name: "rename-into-itself",
    about: "A directory may be moved below itself, out of the tree.",
    file: rename,
    find: "    if (isWithin(state, to, moved)) return refuse(Errno.EINVAL)\n",
    replace: "    if (to === moved) return refuse(Errno.EINVAL)\n",
    scenario: "branches"
  },
  {
    name: "exchange-with-an-ancestor",
    about: "An entry may be exchanged with a directory that it lies in.",
    file: rename,
    find: "if (target !== undefined && isWithin(state, from, target)) {",
    replace: "if (target !== undefined && !exchange && isWithin(state, from, target)) {",
    scenario: "branches"
  },
  {
    name: "rename-over-a-full-directory",
    about: "A rename replaces a directory that is not empty: what is in it is lost.",
    file: rename,
    find: "if (target?.entries?.isEmpty === false) return refuse(Errno.ENOTEMPTY)",
    replace:
      "if (target?.entries?.isEmpty === false && moved.entries?.isEmpty === true) return refuse(Errno.ENOTEMPTY)",
    scenario: "branches"
  },
  {
    name: "moved-directory-keeps-its-parent",
    about: "A directory that is moved still says that it lies where it was.",
    file: evolve,
    find: "  rehome(inode, from, to)\n",
    replace: "",
    scenario: "branches"
  },
  {
    name: "exchange-rehomes-one",
    about: "Of two directories that are exchanged, one keeps its old parent.",
    file: evolve,
    find: "  rehome(inodeB, parentB, parentA)\n",
    replace: "",
    scenario: "branches"
  },
  {
    name: "keep-replaces",
    about: "A rename that must not replace anything does.",
    file: rename,
    find: "if (mode === \"keep\" && target !== undefined) return refuse(Errno.EEXIST)",
    replace: "if (mode === \"keep\" && target?.entries !== undefined) return refuse(Errno.EEXIST)",
    scenario
  },
  {
    name: "full-directory-removed",
    about: "A directory is removed with what is in it.",
    file: "domain/operations/RemoveDirectory.ts",
    find: "inode.entries?.isEmpty === false",
    replace: "inode.entries === undefined",
    scenario
  },
  {
    name: "new-directory-not-linked",
    about: "A new directory does not count among the links of its parent.",
    file: evolve,
    find: "  if (Mode.isDirectory(creation.mode)) state.expect(parent).nlink++\n",
    replace: "  if (Mode.isDirectory(event.mode) && parent.parent !== parent.number) parent.nlink++\n",
    scenario
  },
  {
    name: "link-not-counted",
    about: "A further name does not count: the file goes with the first one that is removed.",
    file: evolve,
    find: "  inode.nlink++\n  inode.ctime = state.time\n",
    replace: "  inode.ctime = state.time\n",
    scenario: "links"
  },
  {
    name: "link-to-the-dead",
    about: "A file that has lost its last name gets a new one.",
    file: "domain/operations/Link.ts",
    find: "    if (inode.nlink === 0) return refuse(Errno.ENOENT)\n",
    replace: "",
    scenario: "visitors"
  },
  {
    name: "unlink-of-a-directory",
    about: "A directory is removed as if it were a file, with what is in it.",
    file: access,
    find: "} else if (victim.entries !== undefined) return Errno.EISDIR",
    replace: "} else if ((victim.entries?.size ?? 0) > 0) return Errno.EISDIR",
    scenario
  },
  {
    name: "exclusive-create-of-what-is-there",
    about: "An exclusive create finds a file and says that all is well.",
    file: "domain/operations/Create.ts",
    find: "      if (request.exclusive) return refuse(Errno.EEXIST)\n",
    replace: "      if (request.exclusive && request.access !== 0) return refuse(Errno.EEXIST)\n",
    scenario
  },
  {
    name: "create-in-a-removed-directory",
    about: "A directory that was removed while open takes new names: what is made there is lost.",
    file: access,
    find: "  if (parent.nlink === 0) return Errno.ENOENT\n  return permits",
    replace: "  return permits",
    scenario: "visitors"
  },
  {
    name: "listing-repeats-its-cookie",
    about: "A page of a listing begins with the name that the page before ended with.",
    file: entries,
    find: "cursor.within + (found ? 1 : 0)",
    replace: "cursor.within",
    scenario: "hotter"
  },
  {
    name: "listing-skips-a-name",
    about: "A page of a listing leaves out a name when the one that the page before ended with is gone.",
    file: entries,
    find: "cursor.within + (found ? 1 : 0)",
    replace: "cursor.within + (found || after !== \"\" ? 1 : 0)",
    scenario: "hotter"
  },
  {
    name: "listing-ends-early",
    about: "A page that is full says that nothing follows.",
    file: "domain/operations/ReadDirectory.ts",
    find: "      end = false\n",
    replace: "      end = entries.length >= countMax\n",
    scenario: "hotter"
  },
  {
    name: "neighbour-fills-a-directory",
    about: "A directory counts as full when another has entries behind its own: emptied, it cannot be removed.",
    file: entries,
    find: "    this.walk(directory, \"\", () => empty = false)\n",
    replace: "    this.walk(directory, \"\", () => empty = false)\n    if (this.entries > 3) empty = false\n",
    scenario
  },
  {
    name: "inode-numbers-used-again",
    about: "The number of the newest inode is given again once it is gone.",
    file: evolve,
    find: "  state.table.remove(inode.number)\n",
    replace: "  state.table.remove(inode.number)\n" +
      "  if (InodeNumber.localOf(inode.number) + 1 === state.nextInode) state.nextInode--\n",
    scenario
  }
]
