/**
 * An error of an AWS service as its JSON protocols (AWS JSON 1.1, REST JSON) carry it: the SDK client throws it under
 * `type`, from the header `x-amzn-errortype` or the body's `__type`.
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

export const validationError = (problem: string): ServiceError =>
  new ServiceError("ValidationException", 400, `1 validation error detected: ${problem}`);
