/// A refusal in SQS's own words: shape name, query code, status and message.
///
/// Source: botocore `sqs/2012-11-05`; codes and words that it leaves out, as AWS was seen to
/// answer.
package struct SQSError: Error, Equatable, Sendable {
    /// The JSON protocol's `__type`, without its namespace.
    package var shape: String
    /// The Query protocol's `Code`, also in `x-amzn-query-error`.
    package var queryCode: String
    package var status: Int
    package var message: String

    package init(shape: String, queryCode: String, status: Int = 400, message: String) {
        self.shape = shape
        self.queryCode = queryCode
        self.status = status
        self.message = message
    }

    private static func prefixed(_ shape: String, _ message: String, status: Int = 400) -> SQSError
    {
        SQSError(
            shape: shape, queryCode: "AWS.SimpleQueueService.\(shape)", status: status,
            message: message)
    }

    package static let requestThrottled = SQSError(
        shape: "RequestThrottled", queryCode: "RequestThrottled", status: 403,
        message: "The request was denied due to request throttling.")

    package static let queueDoesNotExist = SQSError(
        shape: "QueueDoesNotExist", queryCode: "AWS.SimpleQueueService.NonExistentQueue",
        message: "The specified queue does not exist.")

    package static func invalidParameter(_ message: String) -> SQSError {
        SQSError(
            shape: "InvalidParameterValueException", queryCode: "InvalidParameterValue",
            message: message)
    }

    package static let noDeduplicationID = invalidParameter(
        "The queue should either have ContentBasedDeduplication enabled or "
            + "MessageDeduplicationId provided explicitly")

    /// "Value 21 for parameter WaitTimeSeconds is invalid. Reason: Must be …"
    package static func invalidValue(_ value: String, of parameter: String, reason: String)
        -> SQSError
    {
        invalidParameter("Value \(value) for parameter \(parameter) is invalid. Reason: \(reason)")
    }

    package static func missingParameter(_ name: String) -> SQSError {
        SQSError(
            shape: "MissingRequiredParameterException", queryCode: "MissingParameter",
            message: "The request must contain the parameter \(name).")
    }

    package static func tooManyEntries(_ count: Int) -> SQSError {
        prefixed(
            "TooManyEntriesInBatchRequest",
            "Maximum number of entries per request are 10. You have sent \(count).")
    }
    package static func emptyBatch(_ entry: String) -> SQSError {
        prefixed(
            "EmptyBatchRequest", "There should be at least one \(entry) in the request.")
    }
    package static func batchIDsNotDistinct(_ id: String) -> SQSError {
        prefixed("BatchEntryIdsNotDistinct", "Id \(id) repeated.")
    }
    package static let invalidBatchID = prefixed(
        "InvalidBatchEntryId",
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
            + "It can be at most 80 letters long.")
    package static func batchTooLong(_ bytes: Int) -> SQSError {
        prefixed(
            "BatchRequestTooLong",
            "Batch requests cannot be longer than \(QueueLimits.messageBytes) bytes. "
                + "You have sent \(bytes) bytes.")
    }
    package static let invalidMessageContents = SQSError(
        shape: "InvalidMessageContents", queryCode: "InvalidMessageContents",
        message: "Invalid characters found. Valid unicode characters are "
            + "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF")
    package static func receiptHandleIsInvalid(_ handle: String) -> SQSError {
        SQSError(
            shape: "ReceiptHandleIsInvalid", queryCode: "ReceiptHandleIsInvalid", status: 404,
            message: "The input receipt handle \"\(handle)\" is not a valid receipt handle.")
    }
    /// Another queue gave it.
    package static func receiptHandleOfAnother(_ handle: String) -> SQSError {
        SQSError(
            shape: "ReceiptHandleIsInvalid", queryCode: "ReceiptHandleIsInvalid", status: 404,
            message: "The receipt handle \"\(handle)\" is not valid for this queue.")
    }

    package static func receiptHandleExpired(_ handle: String) -> SQSError {
        invalidValue(
            handle, of: "ReceiptHandle", reason: "The receipt handle has expired.")
    }
    package static let messageNotInFlight = prefixed(
        "MessageNotInflight", "The message referred to isn't in flight.")
    package static let overLimit = SQSError(
        shape: "OverLimit", queryCode: "OverLimit", status: 403,
        message: "Too many messages in flight: the limit is \(QueueLimits.inFlight).")
    package static func unknownAttribute(_ name: String) -> SQSError {
        SQSError(
            shape: "InvalidAttributeName", queryCode: "InvalidAttributeName",
            message: "Unknown Attribute \(name).")
    }
    package static let queueDeletedRecently = prefixed(
        "QueueDeletedRecently",
        "You must wait 60 seconds after deleting a queue before you can create another with the "
            + "same name.")
    package static func purgeInProgress(_ queue: String) -> SQSError {
        prefixed(
            "PurgeQueueInProgress",
            "Only one PurgeQueue operation on \(queue) is allowed every 60 seconds.", status: 403)
    }
}
