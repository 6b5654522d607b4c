/** Planted bugs of files: bytes, holes, sizes, attributes, and the numbers of slices. */
import type { Mutant } from "#simulations/mutants/Mutant.ts"

const extents = "domain/Extents.ts"
const evolve = "domain/Evolve.ts"
const scenario = "contents"

export const contents: ReadonlyArray<Mutant> = [
  {
    name: "overlay-eats-the-byte-behind",
    about: "A write over a part of a run takes one byte more away behind it.",
    file: extents,
    find: "middle.push(part(after, limit, end(after)))",
    replace: "middle.push(part(after, Math.min(limit + 1, end(after) - 1), end(after)))",
    scenario
  },
  {
    name: "overlay-eats-the-byte-before",
    about: "A write over a part of a run takes one byte more away before it.",
    file: extents,
    find: "middle.push(part(before, before.offset, offset))",
    replace: "middle.push(part(before, before.offset, Math.max(before.offset + 1, offset - 1)))",
    scenario
  },
  {
    name: "overlay-keeps-no-tail",
    about: "A write into the middle of a run loses what is behind it.",
    file: extents,
    find: "if (last > first && after !== undefined && end(after) > limit)",
    replace: "if (last > first + 1 && after !== undefined && end(after) > limit)",
    scenario
  },
  {
    name: "cut-run-starts-over",
    about: "What is left of a run that was cut shows the bytes of its slice from the beginning.",
    file: extents,
    find: "sliceOffset: extent.sliceOffset + (from - extent.offset)",
    replace: "sliceOffset: extent.sliceOffset",
    scenario
  },
  {
    name: "runs-joined-over-a-gap",
    about: "Runs of one slice are joined though they do not continue each other in it.",
    file: extents,
    find: "end(last) === extent.offset && last.sliceOffset + last.length === extent.sliceOffset",
    replace: "end(last) === extent.offset",
    scenario
  },
  {
    name: "truncate-keeps-bytes",
    about: "A file that is cut short keeps its bytes: they come back when it grows again.",
    file: evolve,
    find: "if (event.size < inode.size) {",
    replace: "if (event.size === 0) {",
    scenario
  },
  {
    name: "truncate-spares-a-byte",
    about: "A file that is cut short keeps the byte behind its new end.",
    file: evolve,
    find: "Extents.replace(inode.extents, event.size, inode.size - event.size, Extents.empty)",
    replace: "Extents.replace(inode.extents, event.size + 1, inode.size - event.size, Extents.empty)",
    scenario
  },
  {
    name: "append-behind-the-data",
    about: "An append goes where the bytes end and not the file, whose end may be a hole.",
    file: "domain/operations/Write.ts",
    find: "request.append ? inode.size : request.offset",
    replace: "request.append ? Extents.dataBytes(inode.extents) : request.offset",
    scenario
  },
  {
    name: "write-cuts-the-file",
    about: "A write in the middle of a file makes it end there.",
    file: evolve,
    find: "inode.size = Math.max(inode.size, event.offset + event.length)",
    replace: "inode.size = event.offset + event.length",
    scenario
  },
  {
    name: "copy-from-the-wrong-place",
    about: "A copied range is shifted the wrong way.",
    file: "domain/operations/CopyRange.ts",
    find: "Extents.shifted(extents, targetOffset - sourceOffset)",
    replace: "Extents.shifted(extents, Math.abs(targetOffset - sourceOffset))",
    scenario
  },
  {
    name: "copy-past-the-end",
    about: "A copy goes on behind the end of its source, and makes its target longer.",
    file: "domain/operations/CopyRange.ts",
    find: "Math.max(0, Math.min(request.length, source.size - sourceOffset))",
    replace: "sourceOffset >= source.size ? 0 : request.length",
    scenario
  },
  {
    name: "copy-over-itself",
    about: "A range may be copied over a part of itself.",
    file: "domain/operations/CopyRange.ts",
    find: "Math.abs(sourceOffset - targetOffset) < available",
    replace: "sourceOffset === targetOffset",
    scenario
  },
  {
    name: "hole-is-one-byte-short",
    about: "A hole that is punched spares its last byte.",
    file: "domain/operations/Allocate.ts",
    find: "return zeroed(Math.min(length, size - offset), false)",
    replace: "return zeroed(Math.min(length, size - offset) - 1, false)",
    scenario
  },
  {
    name: "collapse-keeps-what-it-cuts",
    about: "A range that is cut out of a file leaves its own bytes there, and takes those at the end.",
    file: evolve,
    find: "const keptFrom = event.offset + cut",
    replace: "const keptFrom = event.offset + Math.min(cut, 0)",
    scenario
  },
  {
    name: "reservation-shortens-the-file",
    about: "Reserving room inside a file makes it end there.",
    file: "domain/operations/Allocate.ts",
    find: "return sized(Math.max(size, offset + length))",
    replace: "return sized(offset + length)",
    scenario
  },
  {
    name: "read-range-starts-early",
    about: "A read of a range shows the run that ends where the range begins.",
    file: extents,
    find: "    out.push(part(extent, Math.max(offset, extent.offset), Math.min(limit, end(extent))))",
    replace: "    out.push(part(extent, extent.offset, Math.min(limit, end(extent))))",
    scenario
  },
  {
    name: "slices-given-twice",
    about: "A reservation of many slices counts as one: the next client gets the same numbers.",
    file: evolve,
    find: "      state.nextSlice += event.count\n",
    replace: "      state.nextSlice += 1\n",
    scenario
  },
  {
    name: "client-uses-a-slice-twice",
    about: "A client takes a slice number from its stock without moving on.",
    file: "client/SliceNumbers.ts",
    find: "          return held.next++\n",
    replace: "          return held.left % 2 === 0 ? held.next : held.next++\n",
    scenario
  },
  {
    name: "data-bytes-only-grow",
    about: "Bytes that a file loses still count among those that the zone holds.",
    file: evolve,
    find: "state.dataBytes += Extents.dataBytes(extents) - Extents.dataBytes(inode.extents)",
    replace: "state.dataBytes += Math.max(0, Extents.dataBytes(extents) - Extents.dataBytes(inode.extents))",
    scenario
  },
  {
    name: "last-attribute-lost",
    about: "An inode with one extended attribute loses it.",
    file: evolve,
    find: "  inode.setXattr(name, value)\n",
    replace: "  inode.setXattr(name, inode.xattrs === undefined ? undefined : value)\n",
    scenario
  },
  {
    name: "attribute-created-over-another",
    about: "An extended attribute that must be new replaces one.",
    file: "domain/operations/SetXattr.ts",
    find: "    if (mode === \"create\" && exists) return refuse(Errno.EEXIST)\n",
    replace: "",
    scenario
  },
  {
    name: "group-from-the-owner",
    about: "A change of owner and group takes the owner's number for the group.",
    file: evolve,
    find: "if (event.gid !== undefined) inode.gid = event.gid",
    replace: "if (event.gid !== undefined) inode.gid = event.uid ?? event.gid",
    scenario
  },
  {
    name: "mode-change-adds-only",
    about: "A change of mode adds bits and takes none away.",
    file: evolve,
    find: "(inode.mode & Mode.S_IFMT) | event.mode",
    replace: "inode.mode | event.mode",
    scenario
  }
]
