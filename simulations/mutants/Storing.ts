/** Planted bugs of the block store: what is durable when it says so, and what is verified. */
import type { Mutant } from "#simulations/mutants/Mutant.ts"

const disk = "persistence/blocks/DiskBlockStore.ts"
const folders = "persistence/blocks/FolderSync.ts"
const sealed = "persistence/blocks/SealedObject.ts"
const scenario = "platter"

export const storing: ReadonlyArray<Mutant> = [
  {
    name: "disk-without-datasync",
    about: "A block's bytes are not synced before it is renamed into place: a power cut leaves its name with nothing.",
    file: disk,
    find: "closing(file, Effect.zipRight(writeRest(file, parts), file.datasync))",
    replace: "closing(file, writeRest(file, parts))",
    scenario
  },
  {
    name: "disk-without-folder-sync",
    about: "The folder is not synced after the rename: a power cut takes a block back that was acknowledged.",
    file: disk,
    find: "Effect.zipRight(attempt(store, `put ${key}`, folders.sync(folder)))",
    replace: "Effect.zipRight(Effect.void)",
    scenario
  },
  {
    name: "folder-synced-before-the-rename",
    about: "The folder is synced before the rename and not after it: a power cut takes the block's name back.",
    file: disk,
    find: "          Effect.zipRight(files.rename(aside, path))\n" +
      "        )\n" +
      "      return files.create(aside).pipe(\n" +
      "        Effect.flatMap((file) => Effect.tapError(place(file), () => discard(files, aside))),\n" +
      "        Effect.tapError(({ code }) => Effect.sync(() => code === \"ENOENT\" && folders.forget(folder))),\n" +
      "        Effect.mapError((failure) =>\n" +
      "          isFull(failure)\n" +
      "            ? new BlockStore.StoreFull({ key, store, reason: failure.message })\n" +
      "            : unavailable(store, `put ${key}`, failure)\n" +
      "        ),\n" +
      "        Effect.zipRight(attempt(store, `put ${key}`, folders.sync(folder)))\n",
    replace: "          Effect.zipRight(folders.sync(folder)),\n" +
      "          Effect.zipRight(files.rename(aside, path))\n" +
      "        )\n" +
      "      return files.create(aside).pipe(\n" +
      "        Effect.flatMap((file) => Effect.tapError(place(file), () => discard(files, aside))),\n" +
      "        Effect.tapError(({ code }) => Effect.sync(() => code === \"ENOENT\" && folders.forget(folder))),\n" +
      "        Effect.mapError((failure) =>\n" +
      "          isFull(failure)\n" +
      "            ? new BlockStore.StoreFull({ key, store, reason: failure.message })\n" +
      "            : unavailable(store, `put ${key}`, failure)\n" +
      "        )\n",
    scenario
  },
  {
    name: "folder-known-before-it-is-durable",
    about: "A new folder counts as durable though the folder that holds its name was not synced.",
    file: folders,
    find: "Effect.zipRight(makeIfMissing(files, folder)), Effect.zipRight(sync(parent)))",
    replace: "Effect.zipRight(makeIfMissing(files, folder)))",
    scenario
  },
  {
    name: "sync-joins-the-one-that-runs",
    about: "Who asks for a sync of a folder joins the one that runs, which may have missed its change.",
    file: folders,
    find: "      const next = waiting.get(folder)\n",
    replace: "      const next = running.get(folder) ?? waiting.get(folder)\n",
    scenario: "blackouts"
  },
  {
    name: "short-write-taken-for-whole",
    about: "A write that took a part of its bytes counts as complete.",
    file: disk,
    find: "Effect.flatMap(file.write(parts), (bytes) => writeRest(file, skip(parts, bytes)))",
    replace: "Effect.flatMap(file.write(parts), (bytes) => writeRest(file, bytes > 0 ? [] : skip(parts, bytes)))",
    scenario
  },
  {
    name: "short-write-continued-wrong",
    about: "The rest of a short write is skipped from the beginning of the next part.",
    file: disk,
    find: "    if (part.length > passed) rest.push(part.subarray(passed))\n",
    replace: "    if (part.length > passed) rest.push(passed > 0 ? part.subarray(passed + 1) : part)\n",
    scenario
  },
  {
    name: "checksum-not-verified",
    about: "Pieces of a block are not held against their checksums: turned bytes are taken for good.",
    file: sealed,
    find: "if (found === stored) continue",
    replace: "if (found === stored || pieces.length > 0) continue",
    scenario: "storage"
  },
  {
    name: "store-acknowledges-before-it-stores",
    about: "A runner says that a block is stored when it has been asked to store it.",
    file: "runners/BlockNode.ts",
    find: "? Effect.mapError(store.put(key, bytes), (error) => translate(key, error))",
    replace: "? Effect.asVoid(Effect.forkDaemon(store.put(key, bytes)))",
    scenario: "storage"
  },
  {
    name: "range-off-by-its-piece",
    about: "A range of a block that begins inside a piece is shown from the piece's beginning.",
    file: disk,
    find: "pieces.subarray(offset - cover.start, offset - cover.start + length)",
    replace: "pieces.subarray(0, length)",
    scenario
  }
]
