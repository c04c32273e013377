import de.bwaldvogel.mongo.bson.BinData;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.exception.MongoServerError;
import io.netty.channel.Channel;
import io.netty.util.AttributeKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.security.auth.callback.Callback;
import javax.security.auth.callback.CallbackHandler;
import javax.security.auth.callback.NameCallback;
import javax.security.sasl.SaslException;
import javax.security.sasl.SaslServer;
import org.apache.kafka.common.errors.SaslAuthenticationException;
import org.apache.kafka.common.security.scram.ScramCredential;
import org.apache.kafka.common.security.scram.ScramCredentialCallback;
import org.apache.kafka.common.security.scram.internals.ScramFormatter;
import org.apache.kafka.common.security.scram.internals.ScramMechanism;
import org.apache.kafka.common.security.scram.internals.ScramSaslServer;

/**
 * Authentication of the MongoDB wire server, by SCRAM-SHA-256 (Kafka's implementation). A file holds the one user's name
 * and password, in a line each. It is read at each login: a connection that has logged in stays so when the password
 * changes, as with MongoDB.
 */
final class MongoLogin {
  private static final int AUTHENTICATION_FAILED = 18;
  private static final int UNAUTHORIZED = 13;
  private static final int ITERATIONS = 4096;
  private static final Set<String> GREETINGS = Set.of("hello", "isMaster", "ismaster");
  private static final AttributeKey<SaslServer> EXCHANGE = AttributeKey.valueOf("login");

  private final Path file;

  MongoLogin(Path file) {
    this.file = file;
  }

  /** The answer to a command of the login. `null` for another command, which this connection may give. */
  Document answer(Channel channel, String command, Document query) {
    if (command.equals("saslStart")) {
      try {
        channel.attr(EXCHANGE).set(new ScramSaslServer(ScramMechanism.SCRAM_SHA_256, Map.of(), credentials()));
      } catch (IOException | GeneralSecurityException cause) {
        throw refused(cause);
      }
      return step(channel, query);
    }
    if (command.equals("saslContinue")) return step(channel, query);
    SaslServer exchange = channel.attr(EXCHANGE).get();
    if (GREETINGS.contains(command) || (exchange != null && exchange.isComplete())) return null;
    throw new MongoServerError(UNAUTHORIZED, "Unauthorized", "command " + command + " requires authentication");
  }

  /** Says how to log in, in the answer to a greeting. */
  static void greet(String command, Document answer) {
    if (GREETINGS.contains(command)) answer.put("saslSupportedMechs", List.of("SCRAM-SHA-256"));
  }

  private static Document step(Channel channel, Document query) {
    SaslServer exchange = channel.attr(EXCHANGE).get();
    try {
      byte[] payload = exchange.evaluateResponse(((BinData) query.get("payload")).getData());
      return new Document("conversationId", 1)
          .append("done", exchange.isComplete())
          .append("payload", new BinData(payload))
          .append("ok", 1);
    } catch (SaslException | SaslAuthenticationException cause) {
      throw refused(cause);
    }
  }

  private CallbackHandler credentials() throws IOException, GeneralSecurityException {
    List<String> user = Files.readAllLines(file);
    ScramCredential credential =
        new ScramFormatter(ScramMechanism.SCRAM_SHA_256).generateCredential(user.get(1), ITERATIONS);
    return callbacks -> {
      String name = "";
      for (Callback callback : callbacks) {
        if (callback instanceof NameCallback named) name = named.getDefaultName();
        else if (callback instanceof ScramCredentialCallback wanted && name.equals(user.get(0)))
          wanted.scramCredential(credential);
      }
    };
  }

  private static MongoServerError refused(Exception cause) {
    return new MongoServerError(AUTHENTICATION_FAILED, "AuthenticationFailed", "Authentication failed.", cause);
  }
}
