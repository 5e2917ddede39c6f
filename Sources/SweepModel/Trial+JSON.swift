import JSONText

// What coordinator and workers say most, and what most records hold, is written and scanned by these
// lists of fields; the same types are `Codable` for all other JSON. Keys stand in ascending order.

extension DatasetName: JSONValue {}
extension PoolTransform: JSONValue {}
extension EngineName: JSONValue {}
extension Precision: JSONValue {}
extension FailureKind: JSONValue {}

extension TrialID: JSONValue {
    public func write(to writer: inout JSONWriter) { writer.append(quoting: rawValue) }

    public static func read(from scanner: inout JSONScanner) throws(JSONMismatch) -> TrialID {
        TrialID(try scanner.string())
    }
}

extension WorkerID: JSONValue {
    public func write(to writer: inout JSONWriter) { writer.append(quoting: rawValue) }

    public static func read(from scanner: inout JSONScanner) throws(JSONMismatch) -> WorkerID {
        WorkerID(try scanner.string())
    }
}

extension Strategy: JSONValue {
    public func write(to writer: inout JSONWriter) {
        var (steps, name) = (gradientSteps, name)
        writer.beginObject()
        writer.field("gradient_steps", optional: &steps)
        writer.field("name", &name)
        writer.endObject()
    }

    public static func read(from scanner: inout JSONScanner) throws(JSONMismatch) -> Strategy {
        var (steps, name) = (nil as Int?, "")
        try scanner.beginObject()
        try scanner.field("gradient_steps", optional: &steps)
        try scanner.field("name", &name)
        try scanner.endObject()
        guard let strategy = Strategy(name: name, gradientSteps: steps) else {
            throw JSONMismatch()
        }
        return strategy
    }
}

extension StudyProtocol: JSONObject {
    public static var blank: StudyProtocol { StudyProtocol() }

    @inlinable
    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("addendum", optional: &addendum)
        try fields.field("batch_size", &batchSize)
        try fields.field("cycles", &cycles)
        try fields.field("engine", &engine)
        try fields.field("epochs", &epochs)
        try fields.field("gamma", &gamma)
        try fields.field("initial", optional: &initial)
        try fields.field("learning_rate", &learningRate)
        try fields.field("milestones", &milestones)
        try fields.field("momentum", &momentum)
        try fields.field("pool_limit", optional: &poolLimit)
        try fields.field("pool_transform", &poolTransform)
        try fields.field("precision", &precision)
        try fields.field("reset", &reset)
        try fields.field("test_limit", optional: &testLimit)
        try fields.field("weight_decay", &weightDecay)
        try fields.field("width", &width)
    }
}

extension TrialConfiguration: JSONObject {
    public static var blank: TrialConfiguration {
        TrialConfiguration(
            dataset: .cifar10, strategy: .random, seed: 0, studyProtocol: StudyProtocol())
    }

    @inlinable
    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("dataset", &dataset)
        try fields.field("protocol", &studyProtocol)
        try fields.field("seed", &seed)
        try fields.field("strategy", &strategy)
    }
}

extension QueryResult: JSONObject {
    public static var blank: QueryResult { QueryResult(picks: [], hitRate: 0, classCounts: []) }

    @inlinable
    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("auc", optional: &auc)
        try fields.field("class_counts", &classCounts)
        try fields.field("class_entropy", optional: &classEntropy)
        try fields.field("first_loss", optional: &firstLoss)
        try fields.field("hit_rate", &hitRate)
        try fields.field("lambda", optional: &lambda)
        try fields.field("last_loss", optional: &lastLoss)
        try fields.field("mean_q", optional: &meanQ)
        try fields.field("picks", &picks)
    }
}

extension CycleResult: JSONObject {
    public static var blank: CycleResult {
        CycleResult(
            cycle: 0, labelled: 0, correct: 0, total: 0, testLoss: 0, trainLoss: 0,
            labelledDigest: "", weightsDigest: "", query: nil, trainSeconds: 0,
            evaluateSeconds: 0, querySeconds: 0)
    }

    @inlinable
    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("correct", &correct)
        try fields.field("cycle", &cycle)
        try fields.field("evaluate_seconds", &evaluateSeconds)
        try fields.field("labelled", &labelled)
        try fields.field("labelled_digest", &labelledDigest)
        try fields.field("query", optional: &query)
        try fields.field("query_seconds", &querySeconds)
        try fields.field("shared", optional: &isShared)
        try fields.field("test_loss", &testLoss)
        try fields.field("total", &total)
        try fields.field("train_loss", &trainLoss)
        try fields.field("train_seconds", &trainSeconds)
        try fields.field("weights_digest", &weightsDigest)
    }
}

extension GPU: JSONObject {
    public static var blank: GPU { GPU(index: 0, uuid: "", name: "") }

    @inlinable
    public mutating func visit<Fields: JSONFields>(
        _ fields: inout Fields
    ) throws(Fields.Failure) {
        try fields.field("index", &index)
        try fields.field("memory_free_mib", optional: &memoryFreeMiB)
        try fields.field("memory_total_mib", optional: &memoryTotalMiB)
        try fields.field("memory_used_mib", optional: &memoryUsedMiB)
        try fields.field("name", &name)
        try fields.field("utilisation_percent", optional: &utilisationPercent)
        try fields.field("uuid", &uuid)
    }
}
