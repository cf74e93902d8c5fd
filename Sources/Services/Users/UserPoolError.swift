/// A refusal as Cognito words it: the name that clients see, and its message (botocore
/// `cognito-idp/2016-04-18`; messages as AWS sends them).
package struct UserPoolError: Error, Equatable, Sendable {
    package var name: String
    package var message: String

    package init(_ name: String, _ message: String) {
        self.name = name
        self.message = message
    }

    static func notAuthorized(_ message: String) -> UserPoolError {
        UserPoolError("NotAuthorizedException", message)
    }
    static func invalidParameter(_ message: String) -> UserPoolError {
        UserPoolError("InvalidParameterException", message)
    }

    /// The same for a wrong password and, where a pool hides its users, a name that nobody has.
    static let wrongPassword = notAuthorized("Incorrect username or password.")
    static let lockedOut = notAuthorized("Password attempts exceeded")
    static let disabled = notAuthorized("User is disabled.")
    static let noSuchUser = UserPoolError("UserNotFoundException", "User does not exist.")
    static let notConfirmed = UserPoolError("UserNotConfirmedException", "User is not confirmed.")
    static let resetRequired = UserPoolError(
        "PasswordResetRequiredException", "Password reset required for the user")
    static let wrongCode = UserPoolError(
        "CodeMismatchException", "Invalid verification code provided, please try again.")
    static let expiredCode = UserPoolError(
        "ExpiredCodeException", "Invalid code provided, please request a code again.")
    static let tooManyAttempts = UserPoolError(
        "LimitExceededException", "Attempt limit exceeded, please try after some time.")
    static let tooManyUsers = UserPoolError(
        "LimitExceededException", "The pool has \(UserStore.limitUsers) users, and no more fit.")
    static let tooManyRequests = UserPoolError("TooManyRequestsException", "Too many requests")
    static func noSuchClient(_ id: String) -> UserPoolError {
        UserPoolError("ResourceNotFoundException", "User pool client \(id) does not exist.")
    }
    static func noSuchPool(_ id: String) -> UserPoolError {
        UserPoolError("ResourceNotFoundException", "User pool \(id) does not exist.")
    }
    static func badPassword(_ complaint: String) -> UserPoolError {
        UserPoolError(
            "InvalidPasswordException", "Password did not conform with policy: \(complaint)")
    }
}
