/** The value that this share of all does not exceed. */
export const quantile = (values: ReadonlyArray<number>, share: number): number => {
  if (values.length === 0) throw new RangeError("there are no values to take a quantile of")
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number
}
