import { FileModel } from "#simulations/checkers/FileModel.ts"
import {
  appending,
  creating,
  extents,
  fileOf,
  reading,
  setting,
  type Telling,
  writing
} from "#simulations/checkers/testing/Telling.ts"
import { judged } from "#simulations/checkers/testing/Verdicts.ts"
import { madeBy } from "#simulations/history/History.ts"

const shown = (size: number, dataBytes = size) => ({ attributes: fileOf(10, { size, dataBytes }) })
const open = { inode: 10, access: 3, truncate: false }
const xattr = { inode: 10, name: "user.x" }
const setX = (value: string, mode: "either" | "create" | "replace" = "either") => ({ ...xattr, value, mode })
const mode = (permissions: number) => ({ attributes: fileOf(10, { mode: 0o100000 | permissions }) })
const withBytes = (h: Telling) => h.does(1, "write", writing(10, 0, 8, 1), shown(8))

judged("file", new FileModel(), {
  right: {
    "a write over the middle of another, read whole and in part": (h) =>
      withBytes(h).does(1, "write", writing(10, 2, 4, 2), shown(8))
        .does(2, "readExtents", reading(10), extents(8, [0, 2, 1, 0, 8], [2, 4, 2], [6, 2, 1, 6, 8]))
        .does(2, "readExtents", { ...reading(10), offset: 3, length: 2 }, {
          size: 8,
          length: 2,
          extents: [{ offset: 3, length: 2, slice: 2, sliceOffset: 1, sliceBytes: 4 }]
        }),
    "a write past the end, which leaves a hole": (h) =>
      withBytes(h).does(1, "write", writing(10, 20, 4, 2), shown(24, 12))
        .does(2, "readExtents", reading(10), extents(24, [0, 8, 1], [20, 4, 2])),
    "two appends at once, one after the other": (h) => {
      const first = h.begins(1, "write", appending(10, 4, 1))
      const second = h.begins(2, "write", appending(10, 4, 2))
      first.ends(shown(8))
      second.ends(shown(4))
      h.does(3, "readExtents", reading(10), extents(8, [0, 4, 2], [4, 4, 1]))
    },
    "a write that nobody heard of, seen only later": (h) =>
      h.loses(1, "write", writing(10, 0, 8, 1)).does(2, "readExtents", reading(10), extents(0))
        .does(2, "readExtents", reading(10), extents(8, [0, 8, 1])),
    "a truncation and a growth, between which the bytes are gone": (h) =>
      withBytes(h).does(1, "setAttributes", setting(10, { size: 3 }), shown(3))
        .does(1, "setAttributes", setting(10, { size: 6 }), shown(6, 3))
        .does(2, "readExtents", reading(10), extents(6, [0, 3, 1, 0, 8])),
    "extents that are told in more pieces than they are": (h) =>
      withBytes(h).does(2, "readExtents", reading(10), extents(8, [0, 3, 1, 0, 8], [3, 5, 1, 3, 8])),
    "an attribute set, replaced, listed and removed": (h) =>
      h.does(1, "setXattr", setX("1", "create"), undefined).does(2, "setXattr", setX("2", "create"), "EEXIST")
        .does(2, "setXattr", setX("2", "replace"), undefined).does(1, "getXattr", xattr, { value: "2" })
        .does(1, "listXattrs", { inode: 10 }, { names: ["user.x"] }).does(1, "removeXattr", xattr, undefined)
        .does(1, "getXattr", xattr, "ENODATA"),
    "a chmod and a chown, which takes set-user-id away": (h) =>
      h.does(1, "setAttributes", setting(10, { mode: 0o4755 }), mode(0o4755))
        .does(1, "setAttributes", setting(10, { uid: 5 }), { attributes: fileOf(10, { mode: 0o100755, uid: 5 }) }),
    "a handle, used and given back": (h) =>
      h.does(1, "open", open, { ...shown(0), handle: 7 }).does(1, "write", writing(10, 0, 8, 1, 7), shown(8))
        .does(1, "release", { inode: 10, handle: 7 }, undefined).does(1, "write", writing(10, 0, 8, 2, 7), "EBADF"),
    "a handle that ends with its session": (h) =>
      h.does(1, "open", open, { ...shown(0), handle: 7 }).loses(1, "endSession", {
        inode: 1,
        session: 1,
        reason: "expired"
      })
        .does(2, "readExtents", reading(10), "ESTALE"),
    "a create that nobody heard of and that cut the file": (h) =>
      withBytes(h).loses(2, "create", creating(1, "a", { truncate: true }))
        .does(1, "readExtents", reading(10), extents(0)),
    "a file that nobody heard of, made and written by one message": (h) =>
      h.loses(1, "create", creating(1, "a")).loses(1, "write", writing(madeBy({ begun: 1 }), 0, 8, 1))
        .does(2, "readExtents", reading(10), extents(8, [0, 8, 1])),
    "whatever follows a copy into the file": (h) =>
      withBytes(h).loses(1, "copyRange", {
        source: 9,
        sourceHandle: 0,
        sourceOffset: 0,
        target: 10,
        targetHandle: 0,
        targetOffset: 0,
        length: 4
      }).does(2, "readExtents", reading(10), extents(8, [0, 4, 5, 0, 9], [4, 4, 1, 4, 8]))
  },
  wrong: {
    "a lost update: two appends at once at the same place": (h) => {
      const first = h.begins(1, "write", appending(10, 4, 1))
      const second = h.begins(2, "write", appending(10, 4, 2))
      first.ends(shown(4))
      second.ends(shown(4))
    },
    "a lost write: it was answered, and nobody reads it": (h) =>
      withBytes(h).does(2, "readExtents", reading(10), extents(0)),
    "a stale read of what was written over": (h) =>
      withBytes(h).does(1, "write", writing(10, 0, 8, 2), shown(8))
        .does(2, "readExtents", reading(10), extents(8, [0, 8, 1])),
    "a write that is read and then vanishes": (h) =>
      h.loses(1, "write", writing(10, 0, 8, 1)).does(2, "readExtents", reading(10), extents(8, [0, 8, 1]))
        .does(2, "readExtents", reading(10), extents(0)),
    "a write that happens twice, before and after another": (h) =>
      h.does(1, "write", writing(10, 0, 8, 1), shown(8)).does(2, "write", writing(10, 0, 8, 2), shown(8))
        .does(3, "readExtents", reading(10), extents(8, [0, 8, 2]))
        .does(3, "readExtents", reading(10), extents(8, [0, 8, 1])),
    "a read of half a write": (h) => {
      const writes = h.begins(1, "write", {
        ...writing(10, 0, 0, 1),
        pieces: [1, 2].map((slice) => ({ length: 4, slice, sliceOffset: 0, sliceBytes: 4 }))
      })
      h.does(2, "readExtents", reading(10), extents(4, [0, 4, 1]))
      writes.ends(shown(8))
    },
    "two readers that see two writes in different orders": (h) => {
      const first = h.begins(1, "write", writing(10, 0, 4, 1))
      const second = h.begins(2, "write", writing(10, 0, 4, 2))
      h.does(3, "readExtents", reading(10), extents(4, [0, 4, 1]))
      h.does(4, "readExtents", reading(10), extents(4, [0, 4, 2]))
      h.does(3, "readExtents", reading(10), extents(4, [0, 4, 1]))
      first.ends(shown(4))
      second.ends(shown(4))
    },
    "a truncated file whose bytes come back when it grows": (h) =>
      withBytes(h).does(1, "setAttributes", setting(10, { size: 3 }), shown(3))
        .does(1, "setAttributes", setting(10, { size: 8 }), shown(8, 3))
        .does(2, "readExtents", reading(10), extents(8, [0, 8, 1])),
    "a size that is not the one that was written": (h) =>
      withBytes(h).does(2, "getAttributes", { inode: 10 }, shown(7)),
    "data that holes are counted into": (h) => h.does(1, "write", writing(10, 100, 8, 1), shown(108)),
    "a cut that a lookup does not see": (h) =>
      withBytes(h).does(1, "setAttributes", setting(10, { size: 0 }), shown(0))
        .does(2, "lookup", { parent: 1, name: "a" }, shown(8)),
    "an opening that cuts the file, and leaves it whole": (h) =>
      withBytes(h).does(1, "open", { ...open, truncate: true }, { ...shown(8), handle: 3 }),
    "an attribute that is set and not there": (h) =>
      h.does(1, "setXattr", setX("1"), undefined).does(2, "getXattr", xattr, "ENODATA"),
    "an attribute that has its old value": (h) =>
      h.does(1, "setXattr", setX("1"), undefined).does(1, "setXattr", setX("2"), undefined)
        .does(2, "getXattr", xattr, { value: "1" }),
    "an attribute that two create at once": (h) => {
      const first = h.begins(1, "setXattr", setX("1", "create"))
      const second = h.begins(2, "setXattr", setX("2", "create"))
      first.ends(undefined)
      second.ends(undefined)
    },
    "an attribute that a list leaves out": (h) =>
      h.does(1, "setXattr", setX("1"), undefined).does(2, "listXattrs", { inode: 10 }, { names: [] }),
    "an attribute that is removed twice": (h) =>
      h.does(1, "setXattr", setX("1"), undefined).does(1, "removeXattr", xattr, undefined)
        .does(2, "removeXattr", xattr, undefined),
    "a chmod that is lost": (h) =>
      h.does(1, "setAttributes", setting(10, { mode: 0o600 }), mode(0o600))
        .does(2, "getAttributes", { inode: 10 }, mode(0o644)),
    "a chown that is seen and then not": (h) =>
      h.does(1, "getAttributes", { inode: 10 }, shown(0)).loses(1, "setAttributes", setting(10, { uid: 5 }))
        .does(2, "getAttributes", { inode: 10 }, { attributes: fileOf(10, { uid: 5 }) })
        .does(2, "getAttributes", { inode: 10 }, { attributes: fileOf(10) }),
    "a file that is gone while somebody holds it open": (h) =>
      h.does(1, "open", open, { ...shown(0), handle: 7 }).does(2, "readExtents", reading(10), "ESTALE"),
    "a file that was gone and comes back": (h) =>
      withBytes(h).does(1, "readExtents", reading(10), "ESTALE")
        .does(2, "readExtents", reading(10), extents(8, [0, 8, 1])),
    "a handle that is bad though nobody gave it back": (h) =>
      h.does(1, "open", open, { ...shown(0), handle: 7 }).does(1, "write", writing(10, 0, 8, 1, 7), "EBADF"),
    "a handle that somebody else uses": (h) =>
      h.does(1, "open", open, { ...shown(0), handle: 7 }).does(2, "write", writing(10, 0, 8, 1, 7), shown(8))
  }
})
