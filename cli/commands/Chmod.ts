/** `cadastre chmod`: changes permissions. */
import { changeAttributes } from "#cli/Attributes.ts"
import type { Run } from "#cli/Command.ts"
import * as ModeChange from "#cli/ModeChange.ts"
import { UsageError } from "#cli/UsageError.ts"
import * as Mode from "#domain/Mode.ts"
import * as Effect from "effect/Effect"

export const run: Run = ([given = "", ...paths], options) =>
  changeAttributes(paths, options, {
    // A link's own permissions mean nothing: the one named is followed, those below are left alone.
    follow: true,
    change: Effect.map(
      Effect.try({
        try: () => ModeChange.parse(given),
        catch: (cause) => new UsageError({ message: (cause as Error).message })
      }),
      (apply) => ({ mode, ...rest }) => {
        if (Mode.isSymlink(mode)) return undefined
        return { ...rest, mode: apply(mode, process.umask()) }
      }
    )
  })
