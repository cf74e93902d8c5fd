/// What SQS allows (Developer Guide, *quotas-messages* and *quotas-queues*).
package enum QueueLimits {
    /// Bytes of a message, and of a batch, attributes included.
    package static let messageBytes = 1_048_576
    package static let maximumMessageSize = 1024...1_048_576
    package static let batchEntries = 10
    package static let batchIDLength = 80
    package static let nameLength = 80
    package static let attributes = 10
    package static let attributeNameLength = 256
    package static let delaySeconds: ClosedRange<Int64> = 0...900
    /// How many messages the state holds, those in flight included, before it only knows where
    /// further ones stand that are delayed, or of a FIFO group that waits.
    package static let heldWaiting = 1000
    /// How many messages a FIFO queue's receive looks past at most for more of the first one's
    /// group, and how many may wait in the state before none does.
    package static let heldAhead = 100
    package static let retentionSeconds: ClosedRange<Int64> = 60...1_209_600
    package static let visibilitySeconds: ClosedRange<Int64> = 0...43_200
    package static let waitSeconds: ClosedRange<Int64> = 0...20
    package static let receivedMessages: ClosedRange<Int64> = 1...10
    package static let maxReceiveCount: ClosedRange<Int64> = 1...1000
    package static let inFlight = 120_000
    /// How far a FIFO queue looks past blocked groups.
    package static let passedOver = 120_000
    /// A standard queue's message that was received so often goes to the back.
    package static let poisonReceives: Int64 = 3
    /// How many poison messages one receive puts to the back at most.
    package static let requeuedByReceive = 100
    /// How many put-back messages' old receipt handles still delete them.
    package static let requeuedHandles = 1000
    /// Deleted messages that the stream has not passed yet; more are not deleted by old handles.
    package static let holes = 10_000
    /// Dead letters that one receive sends on their way at most.
    package static let deadLettersByReceive = 100
    /// Bytes of the records whose messages one record may bring over; one message may have more.
    package static let carriedBytes = 8 << 20
    /// The newest deduplication ids that the state itself holds; an index has the others.
    package static let rememberedIDs = 100
    /// Fair queues: a tenant is noisy with so many messages in flight and a tenth of all, or with a
    /// tenth of the processing time. AWS names no least processing time; without one, each of a few
    /// tenants of an idle queue would be noisy.
    package static let noisyInFlight = 30
    package static let noisyProcessing = Duration.seconds(30)
    /// Without a send for so long, a tenant is quiet again.
    package static let noisyInterval = Duration.seconds(300)
    /// Noisy tenants whose messages the head passes; those beyond are served in order of arrival.
    package static let passedTenants = 20
    /// Tenants with nothing in flight whose processing time is remembered.
    package static let idleTenants = 1000
    /// Receives whose `ReceiveRequestAttemptId` is remembered; the oldest give way.
    package static let receiveAttempts = 1000
    /// Move tasks of a queue that are remembered, the newest.
    package static let moveTasks = 10
    /// Messages a second.
    package static let moveRate: ClosedRange<Int64> = 1...500
    /// A removed queue's name is not free for so long.
    package static let recreateInterval = Duration.seconds(60)
    /// Queues that a RedriveAllowPolicy may name.
    package static let redriveSources = 10
    package static let deduplicationInterval = Duration.seconds(300)
    package static let identifierLength = 128
    package static let tags = 50
    /// Characters.
    package static let tagKeyLength = 128
    package static let tagValueLength = 256
    /// Statements of a queue's policy (Developer Guide, *quotas-policies*).
    package static let policyStatements = 20
    /// msorch's own: a terabyte of consumed segments.
    package static let historyBytes: ClosedRange<Int64> = 0...1_099_511_627_776
}
