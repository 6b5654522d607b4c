import { DirectoryModel } from "#simulations/checkers/DirectoryModel.ts"
import { check } from "#simulations/checkers/Linearizability.ts"
import {
  creating,
  directoryOf,
  fileOf,
  listing,
  making,
  page,
  renaming,
  symlinkOf,
  Telling
} from "#simulations/checkers/testing/Telling.ts"
import { judged } from "#simulations/checkers/testing/Verdicts.ts"
import { madeBy } from "#simulations/history/History.ts"
import { expect, it } from "vitest"

const a = { parent: 1, name: "a" }
const b = { parent: 1, name: "b" }
const exclusively = creating(1, "a", { exclusive: true })
const createdAs = (inode: number) => ({ attributes: fileOf(inode), handle: 0, created: true })
const foundAs = (inode: number, nlink = 1) => ({ attributes: fileOf(inode, { nlink }), handle: 0, created: false })
const withFile = (h: Telling) => h.does(1, "create", creating(1, "a"), createdAs(10))
const withDirectory = (h: Telling) => h.does(1, "makeDirectory", making(1, "a"), { attributes: directoryOf(10) })

judged("directory", new DirectoryModel(), {
  right: {
    "a file created, found, listed and removed": (h) =>
      withFile(h).does(2, "lookup", a, { attributes: fileOf(10) }).does(2, "readDirectory", listing(1), page({ a: 10 }))
        .does(2, "unlink", a, undefined).does(1, "lookup", a, "ENOENT").does(
          1,
          "getAttributes",
          { inode: 10 },
          "ESTALE"
        ),
    "a lookup that overlaps a create and finds nothing, then one that finds it": (h) => {
      const creation = h.begins(1, "create", exclusively)
      h.does(2, "lookup", a, "ENOENT").does(2, "lookup", a, { attributes: fileOf(10) })
      creation.ends(createdAs(10))
    },
    "two exclusive creates at once of which one is refused": (h) => {
      const first = h.begins(1, "create", exclusively)
      const second = h.begins(2, "create", exclusively)
      first.ends("EEXIST")
      second.ends(createdAs(10))
    },
    "a create that nobody heard of and that happens late": (h) => {
      h.loses(1, "create", exclusively).does(2, "lookup", a, "ENOENT")
      h.does(2, "lookup", a, { attributes: fileOf(10) }).does(3, "create", exclusively, "EEXIST")
    },
    "a create that nobody heard of and that never happens": (h) =>
      h.loses(1, "create", exclusively).does(2, "create", exclusively, createdAs(10)),
    "a directory that nobody heard of, moved before it is seen": (h) =>
      h.loses(1, "makeDirectory", making(1, "a")).does(2, "rename", renaming(1, "a", 1, "b"), undefined)
        .does(2, "lookup", b, { attributes: directoryOf(12) }).does(2, "create", creating(12, "c"), createdAs(13))
        .does(2, "removeDirectory", b, "ENOTEMPTY"),
    "a directory and a file in it, made by one message that nobody heard of": (h) =>
      h.loses(1, "makeDirectory", making(1, "a")).loses(1, "create", creating(madeBy({ begun: 1 }), "f"))
        .does(2, "lookup", a, { attributes: directoryOf(10) })
        .does(2, "readDirectory", listing(10), page({ f: 11 })),
    "a cancelled unlink that happened after all": (h) =>
      withFile(h).does(2, "unlink", a, "ECANCELED").does(1, "lookup", a, "ENOENT"),
    "a rename to a further name of the same file, which moves nothing": (h) =>
      withFile(h).does(1, "link", { inode: 10, ...b }, { attributes: fileOf(10, { nlink: 2 }) })
        .does(1, "rename", renaming(1, "a", 1, "b"), undefined)
        .does(1, "readDirectory", listing(1), page({ a: 10, b: 10 })),
    "an exchange of a file and a directory": (h) =>
      withDirectory(h).does(1, "create", creating(10, "f"), createdAs(11))
        .does(1, "create", creating(1, "b"), createdAs(12))
        .does(1, "rename", renaming(10, "f", 1, "b", "exchange"), undefined)
        .does(1, "rename", renaming(1, "a", 1, "b", "exchange"), undefined)
        .does(2, "readDirectory", listing(1), page({ a: 11, "d:b": 10 })),
    "a removed directory that somebody holds open: empty, and nothing can be made in it": (h) =>
      withDirectory(h).does(1, "removeDirectory", a, undefined).does(2, "readDirectory", listing(10), page({}))
        .does(2, "create", creating(10, "x"), "ENOENT").does(2, "getAttributes", { inode: 10 }, {
          attributes: directoryOf(10, 0)
        }).does(2, "lookup", { parent: 10, name: "x" }, "ESTALE"),
    "a refusal for want of time, and one for another zone": (h) =>
      withDirectory(h).does(1, "create", creating(1, "b"), "EAGAIN")
        .does(1, "rename", renaming(1, "a", 7, "x"), "EXDEV"),
    "a walk through two directories": (h) =>
      withDirectory(h).does(1, "makeDirectory", making(10, "b"), { attributes: directoryOf(11) })
        .does(2, "walk", { start: 1, names: ["a", "b", "c"] }, {
          found: [directoryOf(10, 3), directoryOf(11)],
          errno: 2
        }),
    "a symbolic link that is opened": (h) =>
      h.does(1, "makeSymlink", { ...a, target: "x" }, { attributes: symlinkOf(9) })
        .does(1, "create", creating(1, "a"), "ELOOP")
  },
  wrong: {
    "two exclusive creates of one name that both succeed": (h) => {
      const first = h.begins(1, "create", exclusively)
      const second = h.begins(2, "create", exclusively)
      first.ends(createdAs(10))
      second.ends(createdAs(11))
    },
    "two creates of which both say to be the one that made it": (h) =>
      withFile(h).does(2, "create", creating(1, "a"), createdAs(10)),
    "a create that finds another file than the one that is there": (h) =>
      withFile(h).does(2, "create", creating(1, "a"), foundAs(11)),
    "a stale lookup, after the unlink was answered": (h) =>
      withFile(h).does(1, "unlink", a, undefined).does(2, "lookup", a, { attributes: fileOf(10) }),
    "a lookup that does not find what was created before it began": (h) => withFile(h).does(2, "lookup", a, "ENOENT"),
    "a file that is seen, vanishes, and comes back, all from one create that nobody heard of": (h) =>
      h.loses(1, "create", exclusively).does(2, "lookup", a, { attributes: fileOf(10) })
        .does(2, "lookup", a, "ENOENT").does(2, "lookup", a, { attributes: fileOf(10) }),
    "a file that was seen before its create was answered, and then not": (h) => {
      const creation = h.begins(1, "create", exclusively)
      h.does(2, "lookup", a, { attributes: fileOf(10) }).does(2, "lookup", a, "ENOENT")
      creation.ends(createdAs(10))
    },
    "a file that nobody made": (h) => h.does(1, "lookup", a, { attributes: fileOf(10) }),
    "an unlink that succeeds twice": (h) => {
      withFile(h)
      const first = h.begins(1, "unlink", a)
      const second = h.begins(2, "unlink", a)
      first.ends(undefined)
      second.ends(undefined)
    },
    "an unlink of a file that is there, refused": (h) => withFile(h).does(2, "unlink", a, "ENOENT"),
    "a file that comes back after it was removed": (h) =>
      withFile(h).does(1, "unlink", a, undefined).does(2, "create", creating(1, "a"), foundAs(10)),
    "an inode number given twice": (h) =>
      withFile(h).does(1, "unlink", a, undefined).does(1, "create", exclusively, createdAs(10)),
    "a rename that leaves both names": (h) =>
      withFile(h).does(1, "rename", renaming(1, "a", 1, "b"), undefined)
        .does(2, "readDirectory", listing(1), page({ a: 10, b: 10 })),
    "a rename during which a listing shows neither name": (h) => {
      withFile(h)
      const move = h.begins(1, "rename", renaming(1, "a", 1, "b"))
      h.does(2, "readDirectory", listing(1), page({}))
      move.ends(undefined)
    },
    "a rename that is seen at its new place and then at its old one": (h) => {
      withFile(h)
      const move = h.begins(1, "rename", renaming(1, "a", 1, "b"))
      h.does(2, "lookup", b, { attributes: fileOf(10) }).does(2, "lookup", a, { attributes: fileOf(10) })
      move.ends(undefined)
    },
    "a rename that keeps what is there, and replaces it": (h) =>
      withFile(h).does(1, "create", creating(1, "b"), createdAs(11))
        .does(1, "rename", renaming(1, "a", 1, "b", "keep"), undefined),
    "two renames of one file to two names that both succeed": (h) => {
      withFile(h)
      const first = h.begins(1, "rename", renaming(1, "a", 1, "b"))
      const second = h.begins(2, "rename", renaming(1, "a", 1, "c"))
      first.ends(undefined)
      second.ends(undefined)
    },
    "two renames that make each directory the other's parent": (h) => {
      withDirectory(h).does(1, "makeDirectory", making(1, "b"), { attributes: directoryOf(11) })
      const first = h.begins(1, "rename", renaming(1, "a", 11, "x"))
      const second = h.begins(2, "rename", renaming(1, "b", 10, "x"))
      first.ends(undefined)
      second.ends(undefined)
    },
    "an exchange that loses one of the two": (h) =>
      withFile(h).does(1, "create", creating(1, "b"), createdAs(11))
        .does(1, "rename", renaming(1, "a", 1, "b", "exchange"), undefined).does(2, "lookup", a, "ENOENT"),
    "a directory removed though it is not empty": (h) =>
      withDirectory(h).does(1, "create", creating(10, "f"), createdAs(11)).does(2, "removeDirectory", a, undefined),
    "a file made in a directory that was removed before": (h) =>
      withDirectory(h).does(1, "removeDirectory", a, undefined).does(2, "create", creating(10, "f"), createdAs(11)),
    "a directory removed while a file was made in it, and both succeed": (h) => {
      withDirectory(h)
      const removal = h.begins(1, "removeDirectory", a)
      const creation = h.begins(2, "create", creating(10, "f"))
      creation.ends(createdAs(11))
      removal.ends(undefined)
      h.does(3, "lookup", { parent: 10, name: "f" }, { attributes: fileOf(11) })
    },
    "an empty directory that is said not to be": (h) => withDirectory(h).does(2, "removeDirectory", a, "ENOTEMPTY"),
    "a listing that misses an entry": (h) =>
      withFile(h).does(1, "create", creating(1, "b"), createdAs(11))
        .does(2, "readDirectory", listing(1), page({ b: 11 })),
    "a listing that shows an entry after it was removed": (h) =>
      withFile(h).does(1, "unlink", a, undefined).does(2, "readDirectory", listing(1), page({ a: 10 })),
    "a listing that shows half of a rename across directories": (h) => {
      withDirectory(h).does(1, "create", creating(1, "f"), createdAs(11))
      const move = h.begins(1, "rename", renaming(1, "f", 10, "f"))
      h.does(2, "readDirectory", listing(10), page({ f: 11 }))
      h.does(2, "readDirectory", listing(1), page({ "d:a": 10, f: 11 }))
      move.ends(undefined)
    },
    "a link that is not counted": (h) =>
      withFile(h).does(1, "link", { inode: 10, ...b }, { attributes: fileOf(10, { nlink: 2 }) })
        .does(2, "lookup", a, { attributes: fileOf(10) }),
    "a file that is stale though it has a name": (h) => withFile(h).does(2, "getAttributes", { inode: 10 }, "ESTALE"),
    "an inode that was stale and is not any more": (h) =>
      withFile(h).does(1, "unlink", a, undefined).does(2, "getAttributes", { inode: 10 }, "ESTALE")
        .does(2, "getAttributes", { inode: 10 }, { attributes: fileOf(10, { nlink: 0 }) }),
    "a subdirectory whose parent is another than it was put in": (h) =>
      withDirectory(h).does(1, "makeDirectory", making(10, "b"), { attributes: directoryOf(11) })
        .does(2, "readDirectory", listing(11), page({}, true, 1)),
    "a reply of the wrong kind of file": (h) => withFile(h).does(2, "lookup", a, { attributes: directoryOf(10) })
  }
})

it("knows the tree that was there before", () => {
  const model = new DirectoryModel([{ parent: 1, name: "a", inode: 10, mode: 0o100644 }])
  const seen = new Telling().does(1, "lookup", a, { attributes: fileOf(10) }).observations
  const missed = new Telling().does(1, "lookup", a, "ENOENT").observations
  expect(check(model, seen)._tag).toBe("Linearizable")
  expect(check(model, missed)._tag).toBe("Violation")
})

it("judges directories that no operation touches together apart", () => {
  const history = new Telling().does(1, "create", creating(1, "a"), createdAs(10))
    .does(1, "create", creating(5, "a"), createdAs(11)).does(1, "rename", renaming(6, "x", 7, "x"), "ENOENT")
    .observations
  expect(new DirectoryModel().partition(history).map((part) => part.length)).toEqual([1, 1, 1])
})
