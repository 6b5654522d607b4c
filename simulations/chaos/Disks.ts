/**
 * Two file systems of a run's own, in files: one for Postgres, one for blocks. They can be full, and lose power: what
 * was not on them is gone then. Needs root; without it, both are plain folders.
 */
import * as Child from "#simulations/chaos/Child.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { chmodSync, existsSync, mkdirSync, statfsSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"

export interface Disks {
  readonly postgres: string
  readonly blocks: string
  /** Nothing can be written to the blocks' disk any more, until it is freed. */
  readonly fill: Effect.Effect<void>
  readonly free: Effect.Effect<void>
  /** From now on nothing reaches the disks. */
  readonly cutPower: Effect.Effect<void>
  /** The disks as they were when the power was cut; nobody may have a file of theirs open. */
  readonly restorePower: Effect.Effect<void>
  /** Why they cannot be filled and cut, if so. */
  readonly cannotFail: string | undefined
}

interface Disk {
  readonly image: string
  readonly folder: string
}

const POSTGRES_BYTES = 3 * 2 ** 30
const BLOCKS_BYTES = 256 * 2 ** 20
const TOOLS = ["mkfs.ext4", "mount", "umount", "fallocate", "xfs_io"]

export const make = (folder: string, frail: boolean): Effect.Effect<Disks, never, Scope.Scope> =>
  Effect.gen(function*() {
    const postgres = { image: join(folder, "postgres.image"), folder: join(folder, "postgres") }
    const blocks = { image: join(folder, "blocks.image"), folder: join(folder, "blocks") }
    for (const disk of [postgres, blocks]) mkdirSync(disk.folder)
    const cannotFail = frail ? yield* whyPlain : "nobody wants them to fail"
    const nothing = { fill: Effect.void, free: Effect.void, cutPower: Effect.void, restorePower: Effect.void }
    const folders = { postgres: join(postgres.folder, "cluster"), blocks: join(blocks.folder, "store") }
    if (cannotFail !== undefined) return { ...folders, ...nothing, cannotFail }
    yield* format(postgres, POSTGRES_BYTES)
    yield* format(blocks, BLOCKS_BYTES)
    const filler = join(blocks.folder, "filler")
    return {
      ...folders,
      fill: Effect.suspend(() => {
        const { bavail, bsize } = statfsSync(blocks.folder)
        return Effect.asVoid(Child.run("fallocate", "--length", String(bavail * bsize), filler))
      }),
      free: Effect.asVoid(Child.run("rm", "--force", filler)),
      cutPower: Effect.forEach(
        [postgres, blocks],
        ({ folder }) => Child.must("xfs_io", "-x", "-c", "shutdown", folder),
        { discard: true }
      ),
      restorePower: Effect.forEach([postgres, blocks], (disk) => Effect.zipRight(unmount(disk), mount(disk)), {
        discard: true
      }),
      cannotFail
    }
  })

const whyPlain: Effect.Effect<string | undefined> = Effect.sync(() => {
  if (process.getuid?.() !== 0) return "only root may mount"
  if (!existsSync("/dev/loop-control")) return "there are no loop devices here"
  const folders = (process.env["PATH"] ?? "").split(":")
  const missing = TOOLS.filter((tool) => !folders.some((folder) => existsSync(join(folder, tool))))
  return missing.length === 0 ? undefined : `there is no ${missing.join(", no ")} here`
})

const format = (disk: Disk, bytes: number): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    writeFileSync(disk.image, "")
    truncateSync(disk.image, bytes)
    yield* Child.must("mkfs.ext4", "-q", "-F", "-m", "0", disk.image)
    yield* Effect.acquireRelease(mount(disk), () => unmount(disk))
    // Postgres is another user, and must pass.
    chmodSync(disk.folder, 0o755)
  })

const mount = ({ folder, image }: Disk): Effect.Effect<void> =>
  Effect.asVoid(Child.must("mount", "-o", "loop", image, folder))

/** Those who had files open may take a moment to be gone. */
const unmount = ({ folder }: Disk): Effect.Effect<void> =>
  Effect.suspend(() => Child.run("umount", folder)).pipe(
    Effect.filterOrFail(({ code }) => code === 0, ({ text }) => new Child.CommandFailed(text)),
    Effect.retry(Schedule.spaced(Duration.millis(100)).pipe(Schedule.upTo(Duration.seconds(20)))),
    Effect.orDie,
    Effect.asVoid
  )
