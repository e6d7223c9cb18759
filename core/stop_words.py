"""Words that say nothing about what a question is after, by language.

Function words and question words only: a word that could name a thing is not here. Folded the way
core.search_text folds words before stemming (casefolded, without diacritics and apostrophes).
"""

from __future__ import annotations

_BY_LANGUAGE = {
    "en": """
        a about above after again against all am an and any are arent as at be because been before
        being below between both but by can cannot cant could couldnt did didnt do does doesnt doing
        dont down during each else ever every few for from further had hadnt has hasnt have havent
        having he hed her here hers herself hes him himself his how however i id if ill im in into
        is isnt it its itself ive just let lets many may me might more most much must my myself no
        nor not of off on once one only onto or other ought our ours ourselves out over own please
        same shall shant she shed should shouldnt so some such tell than that thats the their theirs
        them themselves then there theres these they theyd theyll theyre theyve this those though
        through to too under until up upon us very was wasnt we wed well were werent weve what whats
        when whenever where which while who whom whos whose why will with within without wont would
        wouldnt you youd youll your youre yours yourself yourselves youve
    """,
    "de": """
        aber alle allem allen aller alles als also am an ander andere anderem anderen anderer
        anderes auch auf aus bei beim bin bis bist da dadurch damit dann daran darauf daraus darin
        das dass dein deine deinem deinen deiner dem den denen denn der deren des dessen dich die
        dies diese dieselbe diesem diesen dieser dieses dir doch dort du durch ein eine einem einen
        einer eines einige einmal er es etwas euch euer eure fur gegen gewesen hab habe haben hat
        hatte hatten hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer ihres im in indem
        ins ist ja jede jedem jeden jeder jedes jene jenem jenen jener jenes jetzt kann kein keine
        keinem keinen keiner konnen konnte machen man manche mein meine meinem meinen meiner mich
        mir mit muss musste nach nicht nichts noch nun nur ob oder ohne sehr sein seine seinem
        seinen seiner selbst sich sie sind so solche soll sollte sondern sonst uber um und uns unser
        unsere unter viel vom von vor wahrend wann war waren warst warum was weg weil welche welchem
        welchen welcher welches wenn wer werde werden wessen wem wen wie wieder wieso will wir wird
        wirst wo wohin woher wollen wollte wurde wurden zu zum zur zwar zwischen
    """,
    "es": """
        a al algo algunas algunos ante antes aquel aquella aquello como con contra cual cuales
        cuando cuanto cuantos de del desde donde dos durante e el ella ellas ellos en entre era
        erais eran eras eres es esa esas ese eso esos esta estaba estaban estado estan estar estas
        este esto estos estoy fue fueron fui ha habia habian han hasta hay he la las le les lo los
        mas me mi mis mucho muchos muy nada ni no nos nosotros nuestra nuestro o os otra otras otro
        otros para pero poco por porque pues que quien quienes se sea segun ser si siempre sin sobre
        sois somos son soy su sus suya suyo tambien tan tanto te tenia tiene tienen todo todos tu
        tus un una uno unos vosotros vuestra vuestro y ya yo
    """,
    "fr": """
        a ai au aucun aucune aux avait avec avez avons ayant c ce ceci cela celle celles celui ces
        cet cette ceux chaque chez ci comme comment d dans de depuis des donc dont du elle elles en
        encore entre es est et etaient etait etant ete etes etre eu eux fait faut fut furent ici il
        ils j je jusqu l la laquelle le lequel les lesquels leur leurs lui m ma mais me meme mes moi
        mon n ne ni nos notre nous on ont ou par parce pas pendant peu peut plus pour pourquoi
        pourtant qu quand que quel quelle quelles quels qui quoi s sa sans se sera ses si sien soi
        soit sommes son sont sous sur t ta tandis te tel telle tes toi ton tous tout toute toutes
        tres tu un une vos votre vous y
    """,
    "ru": """
        а без бы был была были было быть в вам вас весь во вот все всего всех всю вы где да даже для
        до его ее если есть еще ж же за здесь и из или им их к какая какие какой каком как ко когда
        котором которые который которая кто кого кому куда ли лишь между меня мне много может мой
        моя мы на над надо нам нас наш не него нее нет ни них но ну о об однако он она они оно от
        откуда отчего перед по под после потому почему при про раз с сам свою себе себя сейчас со
        так также такой там тебя тем то тогда того тоже той только том тот ты у уж уже хотя чего
        чей чем через что чтобы чтоб чье чья эта эти это этого этой этом этот эту я
    """,
    "it": """
        a ad agli ai al alla alle allo anche c che chi ci cio come con contro cosa cui da dagli dai
        dal dalla dalle dallo degli dei del dell della delle dello di dove e ed era erano essere fu
        furono gli ha hanno ho i il in io l la le lei li lo loro lui ma mi mia mio ne negli nei nel
        nella nelle nello noi non nostra nostro o per perche piu quale quali quando quanti quanto
        quella quelle quelli quello questa queste questi questo se sei si sia sono su sua sue sugli
        sui sul sulla sulle sullo suo suoi ti tra tu tua tuo tutti tutto un una uno vi voi vostra
        vostro
    """,
    "pt": """
        a ao aos aquela aquele aquilo as ate com como da das de dela dele delas deles depois do dos
        e ela elas ele eles em entre era eram essa esse esta estao estava este eu foi foram ha isso
        isto ja lhe lhes mais mas me mesmo meu minha muito na nao nas nem no nos nossa nosso num
        numa o onde os ou para pela pelas pelo pelos por porque qual quais quando quanto quantos que
        quem sao se seja sem ser seu seus so somos sua suas tambem te tem tinha tu tua um uma voce
    """,
    "nl": """
        aan al alles als altijd andere ben bij daar dan dat de der deze die dit doch doen door dus
        een en er ge geen geweest haar had heb hebben heeft hem het hier hij hoe hun iemand iets ik
        in is ja je kan kon maar me meer men met mij mijn moet na naar niet niets nog nu of om omdat
        ons ook op over reeds te tegen toch toen tot u uit uw van veel voor waar waarom wanneer want
        waren was wat welke werd wezen wie wij wil worden zal ze zich zij zijn zo zonder zou
    """,
}
STOP_WORDS = {language: frozenset(words.split()) for language, words in _BY_LANGUAGE.items()}

FUNCTION_CHARACTERS = {
    "zh": frozenset("的了是在和与與或也就都而及着著呢吗嗎吧啊么麼什谁誰哪怎为為何这這那之其被把"),
    "ja": frozenset("はがのをにへともでやかねよ"),
}
"""Chinese and Japanese characters that mark grammar: a pair with one of them crosses two words."""
