/**
 * An error of an AWS service in its JSON protocols (AWS JSON 1.1, REST JSON). The SDK client reads the error's name,
 * here `type`, from the header `x-amzn-errortype` or from `__type` in the body.
 */
export class ServiceError extends Error {
  readonly type: string;
  readonly status: number;
  constructor(type: string, status: number, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "ServiceError";
    this.type = type;
    this.status = status;
  }

  toResponse(): Response {
    return new Response(JSON.stringify({ __type: this.type, message: this.message }), {
      status: this.status,
      headers: { "content-type": "application/x-amz-json-1.1", "x-amzn-errortype": this.type },
    });
  }
}

/** A `ValidationException` (400) with one problem. */
export const validationError = (problem: string): ServiceError =>
  new ServiceError("ValidationException", 400, `1 validation error detected: ${problem}`);
