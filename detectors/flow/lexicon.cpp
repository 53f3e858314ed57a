#include "detectors/flow/lexicon.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "detectors/flow/token.h"

namespace tocsin::flow {
namespace {

struct ActWords {
  Acts acts;
  std::string_view words;
};

// Base forms: what an imperative begins with.
constexpr ActWords kActWords[] = {
    {kSend,
     "send email mail message post forward reply respond answer notify inform contact tell text dm "
     "submit "
     "write publish tweet announce broadcast report transmit deliver relay ping call phone share "
     "upload pass return request exfiltrate leak copy cc bcc sende schicke schreibe antworte leite "
     "teile melde veröffentliche senden "
     "schicken schreiben antworten leiten weiterleiten weiterleite beantworte beantworten "
     "envoie envoyez transmets transmettez écris écrivez réponds répondez partage partagez publie "
     "publiez "
     "envía envíe envie manda mande escribe escriba responde responda comparte comparta reenvía "
     "reenvíe "
     "invia inviate scrivi rispondi inoltra condividi enviar compartilhe stuur verstuur antwoord"},
    {kPay,
     "pay transfer wire refund donate buy purchase withdraw deposit remit settle reimburse credit "
     "überweise überweisen zahle zahlen bezahle bezahlen kaufen kaufe erstatte paie payez paye "
     "virez vire verse versez rembourse achète "
     "achetez paga pague transfiere transfiera compra compre abona abone reembolsa bonifica "
     "trasferisci "
     "acquista transfira betaal koop"},
    {kCreate,
     "remember create add make write append insert schedule draft save register generate put post "
     "record "
     "upload store compose log enter plan erstelle lege füge trage speichere crée créez ajoute "
     "ajoutez "
     "enregistre enregistrez planifie crea cree añade añada agrega agregue guarda guarde programa "
     "crie adicione maak voeg"},
    {kChange,
     "take change update modify edit set adjust rename move reset replace increase decrease "
     "reschedule "
     "correct fix mark configure switch enable disable convert revise extend merge close reopen "
     "assign "
     "archive turn raise lower swap rotate downgrade upgrade amend unlock lock deactivate activate "
     "ändere aktualisiere setze verschiebe ersetze deaktiviere aktiviere modifie modifiez changez "
     "mettez remplace remplacez désactive désactivez activez cambia cambie actualiza actualice "
     "modifica "
     "modifique mueve mueva reemplaza desactiva desactive activa altere atualize wijzig verander"},
    {kDelete,
     "delete remove cancel erase drop clear wipe purge destroy discard revoke unsubscribe "
     "uninstall "
     "terminate kill trash empty rm truncate löschen entfernen stornieren kündigen lösche entferne "
     "storniere kündige supprime supprimez efface effacez "
     "annule annulez retire retirez borra borre elimina elimine cancela cancele anula anule "
     "cancella "
     "rimuovi apague exclua verwijder annuleer"},
    {kRun,
     "run execute install deploy launch start restart invoke compile eval trigger curl wget npm "
     "pip "
     "apt brew cargo gem sudo bash sh source build apply merge push führe starte installiere "
     "exécute exécutez lance "
     "lancez installe installez ejecuta ejecute instala instale esegui execute"},
    {kInstall,
     "install installiere installez instala instale pip npm apt brew cargo gem curl wget"},
    {kFetch,
     "open visit browse download get fetch read retrieve check search find look list access go "
     "click "
     "navigate view load query load scan follow see öffne besuche rufe lade ouvre ouvrez "
     "visite "
     "visitez lis lisez consulte consultez télécharge téléchargez abre abra visita lea "
     "descarga "
     "descargue consulta apri leggi baixe leia bezoek"},
    {kGrant,
     "grant invite share allow permit authorize authorise approve give promote whitelist add "
     "enroll "
     "chmod chown useradd usermod passwd provide enable accept gewähre erlaube genehmige lade "
     "accorde accordez autorise autorisez invite "
     "invitez donne donnez concede conceda autoriza autorice invita invite permite permita "
     "approva"},
    {kBook,
     "book reserve order rent buy purchase hire checkout subscribe buche reserviere bestelle "
     "réserve "
     "réservez commande commandez reserva reserve pide pida prenota ordina boek bestel"},
};

struct SignWords {
  Signs signs;
  std::string_view words;
};

constexpr SignWords kSignWords[] = {
    {kModal,
     "requested advised urged encouraged instructed must should need have required shall ought "
     "supposed have supposed musst sollst müssen dois devez "
     "faut debes debe deber tienes devi deve moet"},
    {kPolite, "please kindly bitte veuillez prière favor gelieve"},
    {kOpener,
     "then first next also now finally afterwards and so just lastly additionally immediately "
     "quickly simply do go ahead sure ensure remember forget todo note task step action dann "
     "zuerst "
     "danach außerdem nun ensuite puis abord aussi luego después primero también ahora poi anche"},
    {kYou,
     "you your yours yourself u du dich dir dein deine ihr sie ihnen vous votre vos tu ton ta tes "
     "usted ustedes tus su sus te jij uw"},
    {kAssistant,
     "assistant ai llm chatbot agent bot gpt chatgpt claude gemini copilot mistral llama model ki "
     "assistent assistente asistente agente"},
    {kTask,
     "task instruction prompt goal directive command rule guideline objective assignment workflow "
     "aufgabe anweisung befehl tâche consigne tarea instrucción instrucciones compito istruzioni "
     "tarefa taak"},
    {kPrior,
     "previous prior above earlier original initial first former preceding existing current all "
     "other "
     "beginning old vorherigen bisherigen ursprünglichen précédentes précédente anteriores "
     "anterior "
     "original precedenti"},
    {kOverride,
     "ignore disregard forget override bypass overrule supersede skip abandon discard replace "
     "ignoriere vergiss ignore ignorez oublie oubliez ignora ignore olvida olvide dimentica negeer "
     "vergeet"},
    {kOrder,
     "before after once until instead prior beforehand otherwise first bevor nachdem stattdessen "
     "avant après antes después prima"},
    {kProceed,
     "continue proceed solve answer complete finish respond resume perform accomplish fulfill "
     "fulfil help assist fortfahren weitermachen erledigen continuer répondre continuar responder"},
    {kUserWord, "user operator benutzer nutzer utilisateur usuario utente gebruiker"},
    {kCovert,
     "silently secretly discreetly quietly covertly hidden stealthily heimlich discrètement "
     "secrètement discretamente"},
    {kNegation,
     "not never dont doesnt didnt isnt arent wasnt werent wont wouldnt shouldnt couldnt mustnt "
     "neednt "
     "hasnt havent without no avoid cannot cant nicht nie ohne kein ne pas jamais nunca sin non "
     "senza "
     "niet"},
    {kTell,
     "tell mention inform notify reveal disclose show alert ask confirm say acknowledge explain "
     "warn "
     "report discuss informing telling mentioning notifying asking alerting revealing showing "
     "erwähne sage informiere mentionne dis informe menciones digas informes"},
    {kUrgent,
     "urgent urgently immediately asap important critical crucial priority emergency promptly now "
     "attention mandatory essential deadline overdue vital high-priority dringend sofort wichtig "
     "immédiatement important inmediatamente urgente importante"},
    {kAuthority,
     "administrator admin security compliance management policy system authorized authorised "
     "official "
     "supervisor headquarter helpdesk it legal audit ceo cfo manager boss owner developer "
     "anthropic "
     "openai google microsoft verified support department"},
    {kStop,
     "only nothing but except maybe perhaps something somebody someone the a an of and or to in on "
     "at for with by from is are was were be been it its this that these "
     "those i me my we our us he she they them his her their as if so do does did not no can could "
     "would will may might there here what which who when where how all any some one out up into "
     "about "
     "der die das den dem ein eine und oder mit von zu im für le la les un une des et ou de du à "
     "en el "
     "los las una y o con por para il lo gli e di da"},
    {kDo,
     "do follow complete execute handle carry perform act take proceed process address implement "
     "tackle finish work befolge erledige mache suis suivez fais faites effectue sigue siga haz "
     "haga "
     "realiza segui esegui fai"},
    {kSays,
     "instruct instructed instruction describe described specify specified outlined requested "
     "request "
     "ask asked tell told say said todo to-do task step whatever everything anything want wanted "
     "need "
     "needed suggest suggested recommend recommended propose proposed directed accordingly "
     "checklist demand demanded anweisung aufgaben steht verlangt gebeten indiqué demandé "
     "demande tâches indica pide dice tareas"},
    {kInforms,
     "summarise summarize list show tell find check compare explain count look read see describe "
     "catch get fetch search calculate compute determine identify display view browse translate "
     "siehe schau voir voyez voici mira ver véase analyse analyze extract recommend suggest use "
     "think guess estimate zeige zeig nenne "
     "sag sage such suche finde fasse vergleiche montre montrez dis dites trouve trouvez "
     "cherche "
     "résume lis muestra muestre dime diga busca busque resume lee mostra dimmi trova cerca leggi"},
    {kAsksQuestion,
     "est-ce est-il est-elle what who when where which why how is are was were do does did has "
     "have had can could would will "
     "am whose wie wer wann wo welche welcher welches warum ist sind hat "
     "haben kann qui quand où quel quelle quels quelles combien comment pourquoi est que quoi qué "
     "cuál "
     "cuáles quién cuándo dónde cómo cuánto cuántos cuánta cuántas chi quando dove come quanto "
     "quale"},
    {kJoins, "and then also und et y e dann puis luego"},
    {kPast,
     "is are was were has have had wrote sent said told gave got made put came went did does paid "
     "asked phoned called left took saw found bought "
     "hat ist war schrieb fails complains flickers cost lost kept held meant met read ran set sold "
     "stood thought understood won a est était ha es era tiene"},
    {kParticle, "in over out up off on"},
    {kCan, "can could would will may might possible able"},
    {kWish,
     "want need would like wish prefer möchte brauche will veux voudrais besoin quiero necesito "
     "vorrei"},
    {kGreeting,
     "hi hello hey dear good morning afternoon evening thanks thank great perfect welcome hallo "
     "danke "
     "bonjour merci hola gracias ciao grazie so well oh alright"},
    {kFollow, "follow befolge suis suivez sigue siga segui obey"},
    {kBeforeVerb, "to and then or please also you we lets and, und zu et puis y luego por favor"},
    {kAfterNoun,
     "with of was were is has had are from by which whose that will club meeting number id date "
     "status "
     "history confirmation received sent list type name address subject price fee von des del du"},
    {kAgree,
     "yes yeah yep ok okay confirmed approved agreed fine correct genuine real true "
     "allowed permitted consent trust okayed ja "
     "gerne einverstanden oui accord vas-y sí si vale claro adelante"},
    {kCondition,
     "before after when whenever once if unless to until upon while as since prior during "
     "following "
     "bevor nachdem wenn sobald falls um avant après quand lorsque si pour afin antes después "
     "cuando para quando se prima dopo"},
    {kSpeaker, "i me my mine we us our ich mir mich wir uns je moi nous yo mi nosotros"},
    {kDetail,
     "based using use from per accordingly according within in contained listed attached given "
     "provided mentioned shown stated found basierend laut gemäß aus selon según en"},
    {kContainer,
     "list file email mail message page site website document note letter bill invoice notice "
     "ticket "
     "issue comment review readme guide manual calendar event invitation form article post thread "
     "channel chat inbox attachment spreadsheet sheet doc pdf url link notion wiki todo report "
     "agenda minutes order request reply datei liste seite rechnung brief nachricht fichier liste "
     "page "
     "facture lettre message archivo lista página factura carta mensaje correo"},
};

}  // namespace

const Lexicon& Lexicon::get() {
  static const Lexicon lexicon;
  return lexicon;
}

Lexicon::Lexicon() : slots_(kSlots) {
  for (const ActWords& row : kActWords) add_all(row.words, {.acts = row.acts});
  for (const SignWords& row : kSignWords) add_all(row.words, {.signs = row.signs});
  for (const Slot& slot : slots_) {
    if (slot.hash != 0) filter_[word_of(slot.hash)] |= bit_of(slot.hash);
  }
}

void Lexicon::add_all(std::string_view words, Meaning meaning) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (end > 0) add(token_hash(words.substr(0, end)), meaning);
    words.remove_prefix(std::min(end + 1, words.size()));
  }
}

void Lexicon::add(std::uint64_t hash, Meaning meaning) {
  std::size_t at = hash % kSlots;
  while (slots_[at].hash != 0 && slots_[at].hash != hash) at = (at + 1) % kSlots;
  slots_[at].hash = hash;
  slots_[at].meaning.acts |= meaning.acts;
  slots_[at].meaning.signs |= meaning.signs;
}

}  // namespace tocsin::flow
