/** What a runner's log tells of its zones: those that restart must have a reason that some fault explains. */

/** Why a zone restarts, if the line says that one does. */
export const restartOf = (line: string): string | undefined => /zone \d+ restarts: (.*)/s.exec(line)?.[1]

/** The rule that the line says is broken. */
export const zoneProblem = (line: string): string | undefined => {
  const restart = restartOf(line)
  if (restart === undefined) return /damaged/.test(line) ? "no zone is damaged" : undefined
  return EXPLAINED.test(restart) ? undefined : "no zone dies of a defect"
}

/**
 * Reasons for which a zone may restart: the database, the block store, which may refuse a page for ever, a newer owner,
 * its runner's lease.
 */
const EXPLAINED =
  /^(journal: |\S+: get .* failed: |zone \d+: .* is lost: .* was refused in \d+ rounds |zone \d+: epoch \d+ is over|zone \d+ is not available|All fibers interrupted)/
