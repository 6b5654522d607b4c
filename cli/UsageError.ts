import * as Data from "effect/Data"

/** A command was used wrongly in a way that its parser cannot see. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}
