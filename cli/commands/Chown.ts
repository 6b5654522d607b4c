/** `cadastre chown`: changes owner and group. */
import { changeAttributes } from "#cli/Attributes.ts"
import type { Run } from "#cli/Command.ts"
import { idOf } from "#cli/Identity.ts"
import { UsageError } from "#cli/UsageError.ts"
import * as Effect from "effect/Effect"

export const run: Run = ([given = "", ...paths], options) =>
  changeAttributes(paths, options, {
    follow: options["dereference"] !== false,
    change: Effect.map(
      Effect.try({
        try: () => parseOwner(given),
        catch: (cause) => new UsageError({ message: (cause as Error).message })
      }),
      ({ gid, uid }) => () => ({ uid, gid, mode: undefined })
    )
  })

/** `user`, `user:group`, `user:` (no change of group) or `:group`, each by name or number. */
const parseOwner = (given: string): { readonly uid: number | undefined; readonly gid: number | undefined } => {
  const [user = "", group = ""] = given.split(":")
  if (given === "" || given === ":" || given.split(":").length > 2) throw new Error(`${given} is no owner`)
  return {
    uid: user === "" ? undefined : idOf(user, "user"),
    gid: group === "" ? undefined : idOf(group, "group")
  }
}
