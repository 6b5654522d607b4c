import { type Account, problemOf, type SignedRequest } from "#persistence/blocks/SignatureV4.testing.ts"
import { describe, expect, it } from "vitest"

// The examples of https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
const account: Account = {
  accessKeyId: "AKIAIOSFODNN7EXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
}
const now = Date.parse("2013-05-24T00:00:00Z")
const credential = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"

const getObject: SignedRequest = {
  method: "GET",
  url: "/test.txt",
  headers: {
    host: "examplebucket.s3.amazonaws.com",
    authorization: `AWS4-HMAC-SHA256 Credential=${credential},` +
      "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date," +
      "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    range: "bytes=0-9",
    "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "x-amz-date": "20130524T000000Z"
  },
  body: new Uint8Array(0)
}

const putObject: SignedRequest = {
  method: "PUT",
  url: "/test%24file.text",
  headers: {
    host: "examplebucket.s3.amazonaws.com",
    date: "Fri, 24 May 2013 00:00:00 GMT",
    authorization: `AWS4-HMAC-SHA256 Credential=${credential},` +
      "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class," +
      "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    "x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
    "x-amz-date": "20130524T000000Z",
    "x-amz-storage-class": "REDUCED_REDUNDANCY"
  },
  body: new TextEncoder().encode("Welcome to Amazon S3.")
}

const listObjects: SignedRequest = {
  method: "GET",
  url: "/?max-keys=2&prefix=J",
  headers: {
    host: "examplebucket.s3.amazonaws.com",
    authorization: `AWS4-HMAC-SHA256 Credential=${credential},` +
      "SignedHeaders=host;x-amz-content-sha256;x-amz-date," +
      "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    "x-amz-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "x-amz-date": "20130524T000000Z"
  },
  body: new Uint8Array(0)
}

const problem = (request: SignedRequest, millis = now): string | undefined =>
  problemOf(request, account, "us-east-1", millis)

const withHeaders = (request: SignedRequest, headers: SignedRequest["headers"]): SignedRequest => ({
  ...request,
  headers: { ...request.headers, ...headers }
})

describe("the check of signatures", () => {
  it("accepts the examples of the specification", () => {
    expect(problem(getObject)).toBeUndefined()
    expect(problem(putObject)).toBeUndefined()
    expect(problem(listObjects)).toBeUndefined()
  })

  it("refuses a request of which anything signed has changed", () => {
    expect(problem({ ...getObject, method: "DELETE" })).toBe("SignatureDoesNotMatch")
    expect(problem({ ...getObject, url: "/other.txt" })).toBe("SignatureDoesNotMatch")
    expect(problem({ ...listObjects, url: "/?max-keys=3&prefix=J" })).toBe("SignatureDoesNotMatch")
    expect(problem(withHeaders(getObject, { range: "bytes=0-10" }))).toBe("SignatureDoesNotMatch")
    expect(problem(withHeaders(getObject, { "x-amz-content-sha256": "UNSIGNED-PAYLOAD" }))).toBe(
      "SignatureDoesNotMatch"
    )
    expect(problem({ ...putObject, body: new TextEncoder().encode("Welcome to Amazon S4.") })).toBe(
      "XAmzContentSHA256Mismatch"
    )
  })

  it("refuses headers of Amazon's that nobody signed", () => {
    expect(problem(withHeaders(getObject, { "x-amz-acl": "public-read" }))).toBe("AccessDenied")
  })

  it("refuses strangers, the unsigned, other regions and old requests", () => {
    expect(problemOf(getObject, { ...account, accessKeyId: "AKIA" }, "us-east-1", now)).toBe("InvalidAccessKeyId")
    expect(problemOf(getObject, { ...account, secretAccessKey: "x" }, "us-east-1", now)).toBe("SignatureDoesNotMatch")
    expect(problemOf(getObject, { ...account, sessionToken: "x" }, "us-east-1", now)).toBe("InvalidToken")
    expect(problemOf(getObject, account, "eu-central-1", now)).toBe("AuthorizationHeaderMalformed")
    const { authorization: _, ...headers } = getObject.headers
    expect(problem({ ...getObject, headers })).toBe("AccessDenied")
    expect(problem(getObject, now + 16 * 60 * 1000)).toBe("RequestTimeTooSkewed")
    expect(problem(getObject, now - 16 * 60 * 1000)).toBe("RequestTimeTooSkewed")
  })
})
