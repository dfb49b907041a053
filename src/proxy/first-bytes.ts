import type { ResponseBody } from '../dynamics/send.ts'

/** `body`, which passes its first bytes to `look` when they arrive, if they have not arrived yet. */
export function withFirstBytes(body: ResponseBody, look: (bytes: Buffer) => void): ResponseBody {
  const arrived = body.peek()
  if (arrived !== undefined) {
    look(arrived)
    return body
  }
  return {
    complete: body.complete,
    bufferedBytes: body.bufferedBytes,
    peek: () => body.peek(),
    bytes: (limit) => body.bytes(limit),
    dump: () => body.dump(),
    onClose: (callback) => body.onClose(callback),
    pipeTo(sink) {
      let isFirst = true
      body.pipeTo({
        write(chunk) {
          if (isFirst) look(chunk)
          isFirst = false
          return sink.write(chunk)
        },
        end: () => sink.end(),
        fail: (reason) => sink.fail(reason),
        get resume() {
          return sink.resume
        },
        set resume(resume) {
          sink.resume = resume
        },
      })
    },
  }
}
