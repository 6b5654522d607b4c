/**
 * Everything below a folder, a wave of folders at a time: several are listed at once, and a tree of any size
 * passes through bounded memory except for the folders still to come.
 */
import { type DirectoryEntry, type FileSystemService, type FsError, join } from "#client/FileSystem.ts"
import type { Attributes } from "#domain/Attributes.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as Mode from "#domain/Mode.ts"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

export interface Found {
  readonly path: ByteString
  readonly parent: number
  readonly name: ByteString
  readonly attributes: Attributes
}

const FOLDERS_AT_ONCE = 16

/** All entries below a folder, each folder before what is in it. */
export const below = (fs: FileSystemService, inode: number, path: ByteString): Stream.Stream<Found, FsError> =>
  Stream.suspend(() => {
    const folders: Array<{ readonly inode: number; readonly path: ByteString }> = [{ inode, path }]
    const wave = Effect.suspend(() => {
      const batch = folders.splice(0, FOLDERS_AT_ONCE)
      return Effect.forEach(
        batch,
        (folder) =>
          Effect.map(
            Stream.runCollect(fs.list(folder.inode, folder.path)),
            (entries) => [...entries].map((entry): Found => found(folder, entry))
          ),
        { concurrency: FOLDERS_AT_ONCE }
      )
    })
    return Stream.repeatEffectChunkOption(Effect.suspend(() =>
      folders.length === 0
        ? Effect.fail(Option.none<FsError>())
        : Effect.mapBoth(wave, {
          onFailure: Option.some<FsError>,
          onSuccess: (lists) => {
            const all = lists.flat()
            for (const { attributes, path: at } of all) {
              if (Mode.isDirectory(attributes.mode)) folders.push({ inode: attributes.inode, path: at })
            }
            return Chunk.unsafeFromArray(all)
          }
        })
    ))
  })

const found = (
  folder: { readonly inode: number; readonly path: ByteString },
  { attributes, name }: DirectoryEntry
): Found => ({ path: join(folder.path, name), parent: folder.inode, name, attributes })
